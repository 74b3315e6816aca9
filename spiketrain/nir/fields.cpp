#include "spiketrain/nir/fields.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "spiketrain/base/check.h"
#include "spiketrain/base/text.h"

namespace spiketrain::nir {
namespace {

using Shape = std::vector<int64_t>;
constexpr int64_t kMaxSide = int64_t{1} << 31;

const std::vector<TypeInfo>& types() {
  const FieldInfo r = {"r", Field::neuron}, leak = {"v_leak", Field::neuron},
                  threshold = {"v_threshold", Field::neuron}, reset = {"v_reset", Field::neuron, false},
                  tau = {"tau", Field::neuron, true, true}, tau_syn = {"tau_syn", Field::neuron, true, true},
                  tau_mem = {"tau_mem", Field::neuron, true, true}, w_in = {"w_in", Field::neuron, false},
                  weight = {"weight", Field::weight}, bias = {"bias", Field::bias};
  const std::vector<FieldInfo> conv = {weight,
                                       bias,
                                       {"stride", Field::whole, true, true},
                                       {"padding", Field::padding},
                                       {"dilation", Field::whole, true, true},
                                       {"groups", Field::whole, true, true},
                                       {"input_shape", Field::shape, false, true}};
  const std::vector<FieldInfo> pool = {{"kernel_size", Field::whole, true, true},
                                       {"stride", Field::whole, true, true},
                                       {"padding", Field::whole}};
  static const std::vector<TypeInfo> list = {
      {"Input", {{"shape", Field::shape, true, true}}},
      {"Output", {{"shape", Field::shape, true, true}}},
      {"NIRGraph", {}},
      {"Linear", {weight}},
      {"Affine", {weight, bias}},
      {"Scale", {{"scale", Field::neuron}}},
      {"Conv1d", conv},
      {"Conv2d", conv},
      {"SumPool2d", pool},
      {"AvgPool2d", pool},
      {"Flatten",
       {{"start_dim", Field::whole}, {"end_dim", Field::whole}, {"input_type", Field::shape, false, true}}},
      {"Threshold", {{"threshold", Field::neuron}}},
      {"Delay", {{"delay", Field::neuron}}},
      {"I", {r}},
      {"LI", {tau, r, leak}},
      {"IF", {r, threshold, reset}},
      {"LIF", {tau, r, leak, threshold, reset}},
      {"CubaLI", {tau_syn, tau_mem, r, leak, w_in}},
      {"CubaLIF", {tau_syn, tau_mem, r, leak, threshold, reset, w_in}}};
  return list;
}

std::string list_text(const std::vector<FieldInfo>& fields) {
  std::vector<std::string> names;
  for (const FieldInfo& field : fields) names.push_back(field.name);
  return names.empty() ? "none" : join(names);
}

const NirArray& array_in(const NirNode& node, const std::string& field) {
  return node.fields.arrays.at(field);
}

void check_numbers(const NirArray& array, const FieldInfo& field, const std::string& what) {
  for (size_t i = 0; i < array.values.size(); ++i) {
    const double value = array.values[i];
    ST_CHECK(std::isfinite(value), what, ": ", field.name, ": element ", i, " is ", value,
             "; expected a finite number");
    ST_CHECK(!field.positive || value > 0, what, ": ", field.name, ": element ", i, " is ", value,
             "; expected more than 0");
    const bool whole =
        field.kind == Field::whole || field.kind == Field::shape || field.kind == Field::padding;
    ST_CHECK(!whole || (value == std::floor(value) && std::fabs(value) < kMaxSide), what, ": ", field.name,
             ": element ", i, " is ", value, "; expected an integer of less than ", kMaxSide);
  }
}

void check_form(const NirArray& array, const FieldInfo& field, const std::string& what) {
  for (const int64_t side : array.shape)
    ST_CHECK(side > 0 && side < kMaxSide, what, ": ", field.name, ": a side of ", side, "; expected 1 to ",
             kMaxSide - 1);
  if (field.kind == Field::weight || field.kind == Field::bias)
    ST_CHECK(
        array.type != NirArray::Type::i64, what, ": ", field.name,
        ": expected floating-point numbers, got integers; a quantised weight needs its scale multiplied in");
  if (field.kind == Field::weight)
    ST_CHECK(array.shape.size() >= 2, what, ": weight: expected at least two dimensions, got ",
             text(array.shape));
  if (field.kind == Field::bias)
    ST_CHECK(array.shape.size() == 1, what, ": bias: expected one dimension, got ", text(array.shape));
  if (field.kind == Field::whole || field.kind == Field::shape || field.kind == Field::padding)
    ST_CHECK(array.shape.size() <= 1 && !array.values.empty(), what, ": ", field.name,
             ": expected a number or a list, got shape ", text(array.shape));
}

/// The common shape of the numbers that a node has for each neuron; empty: all are scalars.
Shape population(const NirNode& node, const std::string& what) {
  Shape shape;
  std::string first;
  for (const FieldInfo& field : find_type(node.type)->fields) {
    const auto it = node.fields.arrays.find(field.name);
    if (field.kind != Field::neuron || it == node.fields.arrays.end() || it->second.shape.empty()) continue;
    if (first.empty()) {
      first = field.name;
      shape = it->second.shape;
    }
    ST_CHECK(it->second.shape == shape, what, ": ", first, " has the shape ", text(shape), ", but ",
             field.name, " ", text(it->second.shape), "; expected one shape for all");
  }
  return shape;
}

double at(const NirNode& node, const char* field, size_t i, double otherwise) {
  const auto it = node.fields.arrays.find(field);
  if (it == node.fields.arrays.end()) return otherwise;
  return it->second.values.size() == 1 ? it->second.values[0] : it->second.values.at(i);
}

void check_neuron_fields(const NirNode& node, const std::string& what) {
  const Shape shape = population(node, what);
  if (node.fields.arrays.count("v_threshold")) {
    size_t count = 1;
    for (const int64_t side : shape) count *= static_cast<size_t>(side);
    for (size_t i = 0; i < count; ++i) {
      const double theta = at(node, "v_threshold", i, 0), reset = at(node, "v_reset", i, 0);
      ST_CHECK(reset < theta, what, ": v_reset: element ", i, " is ", reset, ", not below v_threshold, ",
               theta);
    }
  }
  if (const auto it = node.fields.arrays.find("delay"); it != node.fields.arrays.end()) {
    for (const double value : it->second.values)
      ST_CHECK(value >= 0, what, ": delay: expected seconds from 0 on, got ", value);
  }
}

/// A number for all neurons needs no memory in the file, but every neuron does here; and no product of sides overflows.
void check_size(const Shape& shape, const std::string& what) {
  int64_t count = 1;
  for (const int64_t side : shape) {
    ST_CHECK(side == 0 || count <= kMaxElements / side, what, ": ", text(shape), " is more than ",
             kMaxElements, " numbers");
    count *= side;
  }
}

/// Programs that were given a sample with a batch note the batch as a part of the shape.
std::string batch_hint(const Shape& given, size_t rank) {
  return given.size() == rank + 1
             ? str("; was it exported with a sample that has a batch? Then the first side, ", given[0],
                   ", is the batch: export it with a sample without one")
             : "";
}

Shape conv_output(const NirNode& node, const Shape& in, const std::string& what) {
  const NirArray& weight = array_in(node, "weight");
  const size_t dims = node.type == "Conv1d" ? 1 : 2;
  ST_CHECK(weight.shape.size() == dims + 2, what, ": weight: expected ", dims + 2, " dimensions, got ",
           text(weight.shape));
  const int64_t groups = sides(array_in(node, "groups"), 1, what + ": groups")[0];
  ST_CHECK(array_in(node, "bias").shape[0] == weight.shape[0], what, ": bias: expected ", weight.shape[0],
           " values, one for each map, got ", text(array_in(node, "bias").shape));
  ST_CHECK(weight.shape[0] % groups == 0, what, ": ", weight.shape[0], " maps cannot be cut into ", groups,
           " groups");
  const Shape kernel(weight.shape.begin() + 2, weight.shape.end());
  const Shape stride = sides(array_in(node, "stride"), dims, what + ": stride"),
              dilation = sides(array_in(node, "dilation"), dims, what + ": dilation");
  const Padding padding = padding_of(node, kernel, stride, dilation, what);
  ST_CHECK(in.size() == dims + 1 && in[0] == weight.shape[1] * groups, what, ": expected an input of ",
           weight.shape[1] * groups, " maps", dims == 1 ? " [C,N]" : " [C,H,W]", ", got ", text(in),
           batch_hint(in, dims + 1));
  if (node.fields.arrays.count("input_shape")) {
    const Shape noted = sides(array_in(node, "input_shape"), dims, what + ": input_shape");
    ST_CHECK(std::equal(noted.begin(), noted.end(), in.begin() + 1), what, ": input_shape is ", text(noted),
             ", but the input is ", text(in));
  }
  Shape out = {weight.shape[0]};
  for (size_t i = 0; i < dims; ++i) {
    const int64_t room = in[i + 1] + padding.before[i] + padding.after[i] - dilation[i] * (kernel[i] - 1) - 1;
    ST_CHECK(room >= 0 && kernel[i] > 0, what, ": the kernel ", text(kernel), " does not fit the input ",
             text(in));
    out.push_back(room / stride[i] + 1);
  }
  return out;
}

Shape pool_output(const NirNode& node, const Shape& in, const std::string& what) {
  ST_CHECK(in.size() == 3, what, ": expected an input [C,H,W], got ", text(in), batch_hint(in, 3));
  const Shape kernel = sides(array_in(node, "kernel_size"), 2, what + ": kernel_size"),
              stride = sides(array_in(node, "stride"), 2, what + ": stride"),
              padding = sides(array_in(node, "padding"), 2, what + ": padding");
  Shape out = {in[0]};
  for (size_t i = 0; i < 2; ++i) {
    ST_CHECK(padding[i] >= 0 && 2 * padding[i] <= kernel[i], what,
             ": padding: expected at most half of the window, got ", text(padding), " of ", text(kernel));
    const int64_t room = in[i + 1] + 2 * padding[i] - kernel[i];
    ST_CHECK(room >= 0, what, ": the window ", text(kernel), " does not fit the input ", text(in));
    out.push_back(room / stride[i] + 1);
  }
  return out;
}

Shape flatten_output(const NirNode& node, const Shape& in, const std::string& what) {
  const auto rank = static_cast<int64_t>(in.size());
  const auto dim = [&](const char* field) {
    const int64_t value = sides(array_in(node, field), 1, what + ": " + field)[0];
    ST_CHECK(value >= -rank && value < rank, what, ": ", field, ": expected a dimension of the input ",
             text(in), ", counted without the batch, got ", value);
    return value < 0 ? value + rank : value;
  };
  const int64_t first = dim("start_dim"), last = dim("end_dim");
  ST_CHECK(first <= last, what, ": start_dim ", first, " is behind end_dim ", last);
  Shape out(in.begin(), in.begin() + first);
  out.push_back(std::accumulate(in.begin() + first, in.begin() + last + 1, int64_t{1}, std::multiplies<>()));
  out.insert(out.end(), in.begin() + last + 1, in.end());
  return out;
}

Shape shape_after(const NirNode& node, const Shape& in, const std::string& what) {
  if (node.type == "Linear" || node.type == "Affine") {
    const NirArray& weight = array_in(node, "weight");
    ST_CHECK(weight.shape.size() == 2, what, ": weight: expected two dimensions, got ", text(weight.shape));
    if (node.type == "Affine")
      ST_CHECK(array_in(node, "bias").shape[0] == weight.shape[0], what, ": bias: expected ", weight.shape[0],
               " values, got ", text(array_in(node, "bias").shape));
    return {weight.shape[0]};
  }
  if (node.type == "Conv1d" || node.type == "Conv2d") return conv_output(node, in, what);
  if (node.type == "SumPool2d" || node.type == "AvgPool2d") return pool_output(node, in, what);
  if (node.type == "Flatten") return flatten_output(node, in, what);
  return in;
}

}  // namespace

const TypeInfo* find_type(const std::string& type) {
  for (const TypeInfo& info : types())
    if (info.type == type) return &info;
  return nullptr;
}

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const TypeInfo& info : types()) names.push_back(info.type);
  return names;
}

bool is_neuron(const std::string& type) {
  for (const char* other : {"Threshold", "I", "LI", "IF", "LIF", "CubaLI", "CubaLIF"})
    if (type == other) return true;
  return false;
}

bool has_weight(const std::string& type) {
  for (const char* other : {"Linear", "Affine", "Scale", "Conv1d", "Conv2d"})
    if (type == other) return true;
  return false;
}

std::vector<int64_t> sides(const NirArray& array, size_t count, const std::string& what) {
  ST_CHECK(array.values.size() == 1 || array.values.size() == count, what, ": expected a number",
           count > 1 ? " or one for each side" : "", ", got ", array.values.size(), " numbers");
  std::vector<int64_t> result;
  for (size_t i = 0; i < count; ++i)
    result.push_back(static_cast<int64_t>(array.values[array.values.size() == 1 ? 0 : i]));
  return result;
}

Padding padding_of(const NirNode& node, const std::vector<int64_t>& kernel,
                   const std::vector<int64_t>& stride, const std::vector<int64_t>& dilation,
                   const std::string& what) {
  const auto word = node.fields.texts.find("padding");
  if (word == node.fields.texts.end()) {
    const auto both = sides(array_in(node, "padding"), kernel.size(), what + ": padding");
    for (const int64_t n : both) ST_CHECK(n >= 0, what, ": padding: expected 0 or more, got ", n);
    return {both, both};
  }
  ST_CHECK(word->second == "same" || word->second == "valid", what,
           ": padding: expected numbers, \"same\" or \"valid\", got \"", word->second, "\"");
  Padding padding = {Shape(kernel.size(), 0), Shape(kernel.size(), 0)};
  if (word->second == "valid") return padding;
  for (size_t i = 0; i < kernel.size(); ++i) {
    ST_CHECK(stride[i] == 1, what, ": padding \"same\" goes with a stride of 1, got ", text(stride));
    const int64_t total = dilation[i] * (kernel[i] - 1);
    padding.before[i] = total / 2;
    padding.after[i] = total - total / 2;
  }
  return padding;
}

std::vector<int64_t> shape_of(const NirArray& array) {
  std::vector<int64_t> shape;
  for (const double side : array.values) shape.push_back(static_cast<int64_t>(side));
  return shape;
}

void check_fields(const NirNode& node, const std::string& what) {
  const TypeInfo* info = find_type(node.type);
  ST_CHECK(info, what, ": unknown type; known are ", join(type_names()));
  for (const FieldInfo& field : info->fields) {
    const auto number = node.fields.arrays.find(field.name);
    const bool is_text = node.fields.texts.count(field.name) != 0;
    ST_CHECK(!is_text || field.kind == Field::padding, what, ": ", field.name,
             ": expected numbers, got the text \"", is_text ? node.fields.texts.at(field.name) : "", "\"");
    if (number == node.fields.arrays.end()) {
      ST_CHECK(is_text || !field.needed, what, ": has no ", field.name, "; expected the fields ",
               list_text(info->fields));
      continue;
    }
    check_form(number->second, field, what);
    check_numbers(number->second, field, what);
  }
  const auto known = [&](const std::string& name) {
    return std::any_of(info->fields.begin(), info->fields.end(),
                       [&](const FieldInfo& field) { return field.name == name; });
  };
  const auto check_name = [&](const std::string& name) {
    ST_CHECK(known(name), what, ": has a field '", name, "' that the type does not have; expected ",
             list_text(info->fields));
  };
  for (const auto& [name, value] : node.fields.arrays) check_name(name);
  for (const auto& [name, value] : node.fields.texts) check_name(name);
  check_neuron_fields(node, what);
}

std::vector<int64_t> input_shape(const NirNode& node) {
  const auto& arrays = node.fields.arrays;
  if (is_neuron(node.type) || node.type == "Scale" || node.type == "Delay")
    return population(node, node.type);
  if (node.type == "Linear" || node.type == "Affine") return {arrays.at("weight").shape[1]};
  if (node.type == "Output") return shape_of(arrays.at("shape"));
  if (node.type == "Flatten" && arrays.count("input_type")) return shape_of(arrays.at("input_type"));
  return {};
}

std::vector<int64_t> output_shape(const NirNode& node, const std::vector<int64_t>& in,
                                  const std::string& what) {
  const Shape wanted = input_shape(node), given = in.empty() ? wanted : in;
  if (node.type != "Input") {
    ST_CHECK(!given.empty(), what, ": nothing says the shape of its input");
    ST_CHECK(wanted.empty() || wanted == given, what, ": expected an input of the shape ", text(wanted),
             ", got ", text(given), batch_hint(given, wanted.size()));
    check_size(given, what);
  }
  Shape out = node.type == "Input" ? shape_of(array_in(node, "shape")) : shape_after(node, given, what);
  check_size(out, what);
  return out;
}

std::string text(const std::vector<int64_t>& shape) {
  std::vector<std::string> list;
  for (const int64_t side : shape) list.push_back(std::to_string(side));
  return "[" + join(list) + "]";
}

std::string node_text(const std::string& name, const std::string& type) {
  return str("node '", name, "' (", type, ")");
}

}  // namespace spiketrain::nir
