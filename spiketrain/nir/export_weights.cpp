#include "spiketrain/nir/export_weights.h"

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/recipe/folded_norm.h"

namespace spiketrain::nir {
namespace {

Tensor as_double(const Tensor& tensor) {
  return tensor.detach().to(torch::kCPU, torch::kDouble).contiguous().clone();
}

/// [F] as a factor of a weight [F, ...].
Tensor rows(const Tensor& values, const Tensor& weight) {
  std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
  shape[0] = -1;
  return values.view(shape);
}

}  // namespace

NirArray array_of(const Tensor& tensor, NirArray::Type type) {
  const Tensor values = type == NirArray::Type::f32 ? as_double(tensor.to(torch::kFloat)) : as_double(tensor);
  return {
      type, values.sizes().vec(), {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()}};
}

bool has_weights(const Connection& connection) {
  if (!connection.synapse) return false;
  return connection.norm || connection.synapse->part_name() != "one_to_one" ||
         connection.synapse->config()["weights"] != "ones";
}

bool takes_gains(const Connection& connection, const std::vector<double>& gains, const Shape& layer) {
  const std::string kind = connection.synapse->part_name();
  if (kind != "conv2d" && kind != "conv") return true;
  const auto area = static_cast<size_t>(numel(layer) / layer[0]);
  for (size_t i = 0; i < gains.size(); ++i)
    if (gains[i] != gains[i - i % area]) return false;
  return true;
}

Weights::Weights(const Connection& connection, std::string what) : what_(std::move(what)) {
  if (!has_weights(connection)) return;
  kind_ = connection.synapse->part_name();
  const bool known = kind_ == "linear" || kind_ == "conv2d" || kind_ == "conv" || kind_ == "one_to_one";
  ST_CHECK(known, what_, ": synapse ", kind_, ": NIR has no such node");
  config_ = connection.synapse->config();
  weight_ = as_double(connection.weight(/*training=*/false));
  if (const Tensor b = connection.synapse->bias(); b.defined()) bias_ = as_double(b).flatten();
  if (connection.norm) fold(*connection.norm);
}

/// y = scale*gamma*(W x + b - mean)/sqrt(var + eps) + beta, or with sqrt(var) + eps
void Weights::fold(const Norm& norm) {
  ST_CHECK(folds(norm) && kind_ != "one_to_one", what_, ": norm ", norm.part_name(), " behind synapse ",
           kind_, ": NIR has no such node");
  const auto [gain, shift] = folded(norm);
  weight_ = weight_ * rows(gain, weight_);
  bias_ = bias_.defined() ? bias_ * gain + shift : shift;
}

void Weights::multiply_inputs(double factor) {
  if (factor != 1) weight_ = weight_ * factor;
}

void Weights::multiply_outputs(const std::vector<double>& gains) {
  const Tensor all = torch::tensor(gains, torch::kDouble);
  if (kind_ == "one_to_one") {
    weight_ = weight_ * all.view(weight_.sizes());
    return;
  }
  const Tensor each = all.view({weight_.size(0), -1}).select(1, 0);
  weight_ = weight_ * rows(each, weight_);
  if (bias_.defined()) bias_ = bias_ * each;
}

NirNode Weights::node(const Shape& in) const {
  constexpr auto kFloat32 = NirArray::Type::f32;
  NirNode node;
  auto& fields = node.fields.arrays;
  if (kind_ == "one_to_one") {
    node.type = "Scale";
    fields["scale"] = array_of(weight_, kFloat32);
    return node;
  }
  fields["weight"] = array_of(weight_, kFloat32);
  if (kind_ == "linear") {
    node.type = bias_.defined() ? "Affine" : "Linear";
    if (bias_.defined()) fields["bias"] = array_of(bias_, kFloat32);
    return node;
  }
  const auto dims = static_cast<size_t>(weight_.dim() - 2);
  const auto list = [&](const char* key) {
    return config_[key].is_array() ? config_[key].get<Shape>() : Shape(dims, config_[key].get<int64_t>());
  };
  const auto put = [&](const char* field, const Shape& sides) {
    fields[field] = dims == 1 ? NirArray::integer(sides[0]) : NirArray::integers(sides);
  };
  const bool general = kind_ == "conv";
  node.type = dims == 1 ? "Conv1d" : "Conv2d";
  fields["bias"] =
      array_of(bias_.defined() ? bias_ : torch::zeros({weight_.size(0)}, torch::kDouble), kFloat32);
  put("stride", list("stride"));
  put("dilation", general ? list("dilation") : Shape(dims, 1));
  fields["groups"] = NirArray::integer(general ? config_["groups"].get<int64_t>() : 1);
  put("input_shape", Shape(in.begin() + 1, in.end()));
  const Shape before = list("padding"), after = general ? list("padding_end") : before;
  if (before == after) {
    put("padding", before);
    return node;
  }
  // Only where "same" has put an odd zero behind.
  for (size_t i = 0; i < dims; ++i) {
    const int64_t total = list("dilation")[i] * (weight_.size(static_cast<int64_t>(i) + 2) - 1);
    ST_CHECK(list("stride")[i] == 1 && before[i] == total / 2 && after[i] == total - total / 2, what_,
             ": zeros that differ in front and behind: NIR has them for \"same\" padding only");
  }
  node.fields.texts["padding"] = "same";
  return node;
}

}  // namespace spiketrain::nir
