#include "spiketrain/recipe/tandem_network.h"

#include <cmath>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/recipe/saved_network.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain {
namespace {

constexpr const char* kProgressive = "tandem.progressive";

std::shared_ptr<const Layer> layer_at(const Network::Node& node) {
  return std::dynamic_pointer_cast<const Layer>(node.stage);
}

void check_counting_layer(const Network::Node& node, const Layer& layer) {
  ST_CHECK(layer.connections().size() == 1, kProgressive, ": expected layers with one input, layer ",
           node.name, " has ", layer.connections().size());
  const Connection& c = layer.connections()[0];
  ST_CHECK(
      !c.synapse->bias().defined(), kProgressive, ": the bias of layer ", node.name,
      " is added at every step, so that the sum over the steps would have it many times; set network.bias and "
      "network.output_bias to false, and network.norm = \"count_bias\"");
  const torch::AutoGradMode grad(true);
  ST_CHECK(c.synapse->weight().is_leaf(), kProgressive, ": the weights of layer ", node.name,
           " are a function of others, so they cannot be scaled for spike counts; set "
           "network.weight_standardisation to false");
}

void check_counting_stage(const Network::Node& node) {
  const StageInfo info = node.stage->describe().front();
  ST_CHECK(
      info.linear && !info.temporal, kProgressive, ": stage ", node.stage->part_name(), " of node ",
      node.name,
      " is not linear in each step, so that its sum over the steps is not its output for spike counts; expected layers, "
      "average or sum pooling and dropout");
}

/// The last layer.
void check_counts_readout(const Network& network) {
  const auto layers = network.layers(0, /*head=*/false);
  ST_CHECK(layers.size() >= 2, kProgressive, ": expected a hidden layer and an output layer, got ",
           network.notation());
  const Neuron& readout = *layers.back()->neuron();
  const bool plain = readout.emits().analog() && (readout.provides() & kLeak) != 0 && readout.leak() == 0;
  ST_CHECK(plain, kProgressive, ": the output layer stays analog and has no memory; set readout = {name = ",
           "\"leaky_readout\", leak = 0}");
}

}  // namespace

void TandemSection::check() const {
  ST_CHECK(progressive || (stage == 0 && thresholds.empty()),
           "tandem: stage and thresholds are of progressive learning; set tandem.progressive = true");
}

std::function<std::shared_ptr<Neuron>()> hidden_neurons(const Recipe& recipe) {
  const Config spiking = recipe.neuron;
  if (!recipe.tandem.progressive) return [=] { return make<Neuron>(spiking); };
  const std::vector<double> thresholds = recipe.tandem.thresholds;
  const auto made = std::make_shared<size_t>(0);
  return [=]() -> std::shared_ptr<Neuron> {
    const size_t k = (*made)++;
    if (k >= thresholds.size()) return make<Neuron>("count_relu");
    Config own = spiking;
    own["threshold"] = thresholds[k];
    return make<Neuron>(own);
  };
}

std::vector<HiddenLayer> hidden_layers(const Network& network) {
  std::vector<HiddenLayer> layers;
  const auto& nodes = network.nodes();
  for (size_t n = 0; n < nodes.size(); ++n)
    if (layer_at(nodes[n]))
      layers.push_back({n, nodes[n].name, nodes[n].stage->notation(), nodes[n].stage->slot()});
  layers.pop_back();
  return layers;
}

void check_tandem(const Recipe& recipe, const Network& network) {
  if (!recipe.tandem.progressive) return;
  const auto builder = make<NetworkBuilder>(recipe.network);
  ST_CHECK(builder->uses_neurons() && !std::dynamic_pointer_cast<StartsWithWeights>(builder), kProgressive,
           ": network ", builder->part_name(), " has neurons of its own, which no stage can replace");
  const auto neuron = make<Neuron>(recipe.neuron);
  ST_CHECK(neuron->emits().bare() && neuron->emits().levels == 1 && recipe.neuron.contains("threshold"),
           kProgressive, ": expected a neuron that sends spikes and has a threshold, such as if, got ",
           neuron->part_name());
  ST_CHECK(
      make<Encoder>(recipe.encoder)->part_name() == "zero_expand", kProgressive,
      ": the input's sum over the steps has to be the image that the analog network was trained on; set encoder = "
      "\"zero_expand\"");
  ST_CHECK(network.blocks() == 1 && network.is_chain(0), kProgressive,
           ": expected a chain of layers in one block, got ", network.notation());
  for (const Network::Node& node : network.nodes()) {
    const auto layer = layer_at(node);
    layer ? check_counting_layer(node, *layer) : check_counting_stage(node);
  }
  check_counts_readout(network);
  const size_t hidden = hidden_layers(network).size();
  ST_CHECK(recipe.tandem.thresholds.size() <= hidden, "tandem.thresholds: expected at most ", hidden,
           ", one for each hidden layer of ", network.notation(), ", got ", recipe.tandem.thresholds.size());
}

void copy_converted(const Network& from, Network& to, int64_t converted, double threshold) {
  const torch::NoGradGuard no_grad;
  const NamedTensors source = network_tensors(from), target = network_tensors(to);
  ST_ASSERT(source.size() == target.size());
  for (size_t i = 0; i < source.size(); ++i) Tensor(target[i].second).copy_(source[i].second);
  if (converted < 0) return;
  int64_t passed = -1;
  for (const Network::Node& node : to.nodes()) {
    const auto layer = layer_at(node);
    if (!layer || passed++ != converted) continue;
    layer->connections()[0].synapse->weight().mul_(threshold);
  }
}

double percentile_of(const Tensor& values, double percent) {
  ST_CHECK(values.numel() > 0, "percentile: expected values, got none");
  const Tensor sorted = std::get<0>(values.detach().to(torch::kCPU, torch::kDouble).flatten().sort());
  const double* a = sorted.data_ptr<double>();
  const double h = static_cast<double>(sorted.numel() - 1) * (percent / 100);
  const auto low = static_cast<int64_t>(std::floor(h));
  const int64_t high = std::min(low + 1, sorted.numel() - 1);
  return a[low] + (h - static_cast<double>(low)) * (a[high] - a[low]);
}

}  // namespace spiketrain
