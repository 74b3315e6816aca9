#include "spiketrain/deploy/onnx.h"

#include <algorithm>
#include <cstdio>

#include "spiketrain/base/check.h"
#include "spiketrain/base/protobuf.h"
#include "spiketrain/deploy/program.h"
#include "spiketrain/version.h"

namespace spiketrain::deploy {
namespace {

using Dims = std::vector<int64_t>;
using Names = std::vector<std::string>;

constexpr uint64_t kFloatType = 1, kIntAttribute = 2, kIntsAttribute = 7, kIrVersion = 8, kOpset = 13;

class Graph {
 public:
  Graph(const Model& model, bool spikes) : model_(model), spikes_(spikes) {}

  /// What carried_k is before the first step, where it is not zero: one number, one per channel, or one per neuron in C, H, W order.
  const std::vector<std::pair<std::string, std::string>>& first() const { return first_; }

  ProtoMessage write() {
    const bool input_is_map =
        model_.layers[0].products[0].conv || model_.input.height * model_.input.width > 1;
    value(kInputs, "x", dims(model_.input, input_is_map));
    std::string below = "x";
    bool below_is_map = input_is_map;
    for (size_t k = 0; k < model_.layers.size(); ++k) {
      below = layer(k, below, below_is_map);
      below_is_map = is_map(model_.layers[k]);
    }
    output("y", below, model_.layers.back());
    for (const auto& [name, tensor, k] : next_) output(name, tensor, model_.layers[k]);
    graph_.bytes(2, "step");
    return graph_;
  }

 private:
  static constexpr uint32_t kInputs = 11, kOutputs = 12;
  struct Next {
    std::string name, tensor;
    size_t layer;
  };

  /// Maps are [batch,C,H,W], what a fully connected layer sends is [batch,N].
  static bool is_map(const Layer& layer) { return layer.products[0].conv; }
  static Dims dims(const Map& map, bool as_map) {
    return as_map ? Dims{map.channels, map.height, map.width} : Dims{map.size()};
  }

  /// An input or output of the graph: [batch, *shape].
  void value(uint32_t field, const std::string& name, const Dims& shape, const std::string& doc = "") {
    ProtoMessage tensor_shape, type;
    tensor_shape.message(1, ProtoMessage().bytes(2, "batch"));
    for (const int64_t n : shape)
      tensor_shape.message(1, ProtoMessage().integer(1, static_cast<uint64_t>(n)));
    type.message(1, ProtoMessage().integer(1, kFloatType).message(2, tensor_shape));
    ProtoMessage info;
    info.bytes(1, name).message(2, type);
    if (!doc.empty()) info.bytes(3, doc);
    graph_.message(field, info);
  }

  void output(const std::string& name, const std::string& tensor, const Layer& layer) {
    node("Identity", {tensor}, name);
    value(kOutputs, name, dims(layer.out, is_map(layer)));
  }

  static ProtoMessage attribute(const std::string& name, const Dims& x) {
    ProtoMessage a;
    a.bytes(1, name);
    for (const int64_t n : x) a.integer(8, static_cast<uint64_t>(n));
    return a.integer(20, kIntsAttribute);
  }
  static ProtoMessage attribute(const std::string& name, int64_t x) {
    return ProtoMessage().bytes(1, name).integer(3, static_cast<uint64_t>(x)).integer(20, kIntAttribute);
  }

  /// Appends a node with one output, whose name it returns.
  std::string node(const std::string& type, const Names& inputs, const std::string& out,
                   const std::vector<ProtoMessage>& attributes = {}) {
    ProtoMessage n;
    for (const std::string& input : inputs) n.bytes(1, input);
    n.bytes(2, out).bytes(3, "make_" + out).bytes(4, type);
    for (const ProtoMessage& a : attributes) n.message(5, a);
    graph_.message(1, n);
    return out;
  }

  /// A tensor of constants.
  std::string constant(const std::string& name, const Dims& shape, const std::vector<double>& x) {
    ProtoMessage tensor;
    for (const int64_t n : shape) tensor.integer(1, static_cast<uint64_t>(n));
    std::string raw;
    for (const double number : x) {
      const auto single = static_cast<float>(number);
      char bytes[sizeof single];
      std::memcpy(bytes, &single, sizeof single);
      raw.append(bytes, sizeof single);
    }
    tensor.integer(2, kFloatType).bytes(8, name).bytes(9, raw);
    graph_.message(5, tensor);
    return name;
  }

  /// A coefficient that broadcasts to [batch, *layer].
  std::string coefficient(size_t k, const char* name, const Coefficients& x) {
    const Layer& layer = model_.layers[k];
    Dims shape;
    if (x.size() == static_cast<size_t>(layer.out.size())) {
      shape = dims(layer.out, is_map(layer));
    } else if (x.size() > 1) {
      shape = {layer.out.channels, 1, 1};
    }
    return constant(str(name, "_", k), shape, x);
  }

  /// A state of layer k.
  std::string state(size_t k, const char* kind, const std::string& before) {
    const std::string name = str(kind, "_", k);
    value(kInputs, name, dims(model_.layers[k].out, is_map(model_.layers[k])),
          "before the first step: " + before);
    return name;
  }
  void next(size_t k, const char* kind, const std::string& tensor) {
    next_.push_back({str(kind, "_", k, "_next"), tensor, k});
  }

  std::string product(size_t k, size_t c, std::string source, bool source_is_map) {
    const Product& p = model_.layers[k].products[c];
    const auto name = [&](const char* what) { return str(what, "_", k, "_", c); };
    if (p.window > 1) {
      const Dims window = {p.window, p.window};
      source = node("AveragePool", {source}, name("mean"),
                    {attribute("kernel_shape", window), attribute("strides", window)});
      source = node("Mul", {source, constant(name("area"), {}, {static_cast<double>(p.window * p.window)})},
                    name("pooled"));
    }
    const int64_t features = model_.layers[k].out.channels;
    if (p.conv) {
      const std::string w = constant(name("weight"), {features, p.in.channels, p.kernel, p.kernel}, p.weight);
      return node("Conv", {source, w}, name("product"),
                  {attribute("kernel_shape", Dims{p.kernel, p.kernel}),
                   attribute("strides", Dims{p.stride, p.stride}),
                   attribute("pads", Dims{p.padding, p.padding, p.padding, p.padding})});
    }
    if (source_is_map) source = node("Flatten", {source}, name("flat"), {attribute("axis", 1)});
    const std::string w = constant(name("weight"), {features, p.columns()}, p.weight);
    return node("Gemm", {source, w}, name("product"), {attribute("transB", 1)});
  }

  /// Appends layer k; returns what it sends.
  std::string layer(size_t k, const std::string& below, bool below_is_map) {
    const Layer& layer = model_.layers[k];
    const auto name = [&](const char* what) { return str(what, "_", k); };
    std::string current = product(k, 0, below, below_is_map);
    if (layer.products.size() > 1) {
      const std::string back = product(k, 1, state(k, "spikes", "zeros"), is_map(layer));
      current = node("Add", {current, back}, name("sum"));
    }
    if (layer.current_decay > 0) {
      const std::string k_current = constant(name("current_decay"), {}, {layer.current_decay});
      const std::string kept = node("Mul", {state(k, "current", "zeros"), k_current}, name("current_kept"));
      current = node("Add", {kept, current}, name("current_now"));
      next(k, "current", current);
    }
    if (!layer.bias.empty())
      current = node("Add", {current, coefficient(k, "bias", layer.bias)}, name("current_biased"));
    const std::string u = node("Add", {state(k, "carried", start(k)), current}, name("u"));
    const std::string leak = coefficient(k, "leak", layer.leak);
    if (!layer.spiking) {
      next(k, "carried", node("Mul", {u, leak}, name("leaked")));
      return u;
    }
    return spikes(k, u, leak);
  }

  /// Threshold and reset of layer k.
  std::string spikes(size_t k, const std::string& u, const std::string& leak) {
    const Layer& layer = model_.layers[k];
    const auto name = [&](const char* what) { return str(what, "_", k); };
    const std::string threshold = coefficient(k, "threshold", layer.threshold);
    const std::string above =
        node(layer.strict ? "Greater" : "GreaterOrEqual", {u, threshold}, name("above"));
    const std::string s =
        node("Cast", {above}, name("s"), {attribute("to", static_cast<int64_t>(kFloatType))});
    std::string v = u;
    if (layer.reset == Reset::hard)
      v = node("Where", {above, coefficient(k, "v_reset", layer.v_reset), u}, name("reset"));
    std::string drop;
    if (layer.reset == Reset::soft || layer.reset == Reset::soft_decayed)
      drop = node("Mul", {s, coefficient(k, "drop", layer.drop)}, name("dropped"));
    if (layer.reset == Reset::soft_decayed) v = node("Sub", {u, drop}, name("reset"));
    std::string carried = node("Mul", {v, leak}, name("leaked"));
    if (layer.reset == Reset::soft) carried = node("Sub", {carried, drop}, name("lowered"));
    next(k, "carried", carried);
    if (layer.products.size() > 1) next(k, "spikes", s);
    if (spikes_) next_.push_back({name("fired"), s, k});
    if (layer.output_tau == 0) return s;
    const double gain = 1 / layer.output_tau;
    const std::string kept =
        node("Mul", {state(k, "output", "zeros"), constant(name("output_decay"), {}, {1 - gain})},
             name("output_kept"));
    const std::string added =
        node("Mul", {s, constant(name("output_step"), {}, {gain})}, name("output_added"));
    next(k, "output", node("Add", {kept, added}, name("psp")));
    return name("psp");
  }

  /// Notes what is carried into the first step; returns where it is to be found.
  std::string start(size_t k) {
    const Layer& layer = model_.layers[k];
    const bool zeros = std::all_of(layer.start.begin(), layer.start.end(), [](double x) { return x == 0; });
    if (zeros) return "zeros";
    const Coefficients &leak = layer.leak, &from = layer.start;
    std::string text;
    for (size_t i = 0; i < std::max(leak.size(), from.size()); ++i) {
      const auto a = static_cast<float>(leak[leak.size() == 1 ? 0 : i]),
                 b = static_cast<float>(from[from.size() == 1 ? 0 : i]);
      char number[32];
      std::snprintf(number, sizeof number, "%.9g", static_cast<double>(a * b));
      text += (i > 0 ? " " : "") + std::string(number);
    }
    const std::string name = str("carried_", k, "_first");
    first_.emplace_back(name, text);
    return name + " of the file's metadata";
  }

  const Model& model_;
  const bool spikes_;
  ProtoMessage graph_;
  std::vector<Next> next_;
  std::vector<std::pair<std::string, std::string>> first_;
};

}  // namespace

std::string write_onnx(const Model& model, const std::string& about, bool spikes) {
  check_finite(model);
  Graph graph(model, spikes);
  const ProtoMessage message = graph.write();
  ProtoMessage file;
  file.integer(1, kIrVersion).bytes(2, "spiketrain").bytes(3, ST_VERSION).bytes(6, about);
  file.message(7, message).message(8, ProtoMessage().bytes(1, "").integer(2, kOpset));
  for (const auto& [key, value] : graph.first())
    file.message(14, ProtoMessage().bytes(1, key).bytes(2, value));
  ST_CHECK(file.text().size() < (size_t{1} << 31), "export: the network has ", file.text().size(),
           " bytes; an ONNX file holds less than 2 GiB");
  return file.text();
}

}  // namespace spiketrain::deploy
