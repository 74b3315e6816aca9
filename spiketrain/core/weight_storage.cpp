#include "spiketrain/core/weight_storage.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

/// The tensor that a synapse keeps its weights in; undefined: none.
Tensor kept_weight(const Synapse& synapse) {
  const auto parameters = synapse.named_parameters(false), buffers = synapse.named_buffers(false);
  if (const Tensor* W = parameters.find("weight")) return *W;
  if (const Tensor* W = buffers.find("weight")) return *W;
  return {};
}

StoredWeight stored_weight(const Network::Node& node, const Connection& c) {
  const torch::NoGradGuard no_grad;
  const Tensor kept = kept_weight(*c.synapse), W = c.synapse->weight();
  StoredWeight stored;
  stored.node = node.name;
  stored.spec = c.synapse->notation();
  stored.synapse = c.synapse;
  stored.numbers = kept.defined() ? kept.numel() : W.numel();
  stored.quantizer = std::dynamic_pointer_cast<const SwitchedQuantizer>(c.quantizer);
  if (!stored.quantizer) return stored;
  ST_CHECK(stored.numbers == W.numel(), "quantizer ", stored.quantizer->part_name(), ": layer ", node.name,
           " (", stored.spec,
           ") multiplies with other weights than it keeps, as learned delays do, most of them zero; ",
           "leave out the quantizer, or the delays");
  stored.quantizer->quantize(W);  // or says why not
  stored.quantized_bits = stored.quantizer->stored_bits(W);
  return stored;
}

/// All numbers of a stage that it needs when it is used: no way back, and which quantizers are on is the format's affair.
int64_t numbers_of(const Stage& stage) {
  int64_t sum = 0;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    if (name.rfind("feedback", 0) != 0 && !is_quantizer_switch("." + name)) sum += tensor.numel();
  };
  for (const auto& item : stage.named_parameters()) add(item.key(), item.value());
  for (const auto& item : stage.named_buffers()) add(item.key(), item.value());
  return sum;
}

std::string digits(int64_t value) {
  std::string text = std::to_string(value);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

}  // namespace

int64_t WeightStorage::bits() const {
  int64_t sum = kFloatBits * others;
  for (const StoredWeight& w : weights) sum += w.bits();
  return sum;
}

int64_t WeightStorage::float_bits() const {
  int64_t sum = kFloatBits * others;
  for (const StoredWeight& w : weights) sum += w.float_bits();
  return sum;
}

bool WeightStorage::switched() const {
  return std::any_of(weights.begin(), weights.end(), [](const StoredWeight& w) { return w.quantizer; });
}

std::string WeightStorage::text() const {
  std::vector<std::string> layers;
  for (const StoredWeight& w : weights)
    if (w.quantized()) layers.push_back(str(w.node, " (", w.spec, ")"));
  std::ostringstream text;
  text << "binary: " << (layers.empty() ? "no layer" : join(layers)) << "; storage " << digits(bits())
       << " of " << digits(float_bits()) << " bits (" << std::fixed << std::setprecision(1) << 100 * share()
       << " %)";
  return text.str();
}

Config WeightStorage::json() const {
  Config layers = Config::array();
  for (const StoredWeight& w : weights)
    layers.push_back({{"node", w.node},
                      {"layer", w.spec},
                      {"weights", w.numbers},
                      {"bits", w.bits()},
                      {"quantized", w.quantized()}});
  return {{"bits", bits()}, {"float_bits", float_bits()}, {"share", share()}, {"layers", std::move(layers)}};
}

WeightStorage weight_storage(const Network& network) {
  WeightStorage storage;
  for (const Network::Node& node : network.nodes()) {
    if (node.head_of >= 0) continue;
    storage.others += numbers_of(*node.stage);
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (!layer) continue;
    for (const Connection& c : layer->connections()) {
      if (!c.synapse) continue;
      storage.weights.push_back(stored_weight(node, c));
      storage.others -= storage.weights.back().numbers;
    }
  }
  return storage;
}

}  // namespace spiketrain
