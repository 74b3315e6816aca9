#include "spiketrain/recipe/conversion.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/text.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/recipe/folded_norm.h"
#include "spiketrain/recipe/saved_network.h"

namespace spiketrain {
namespace {

Tensor in_double(const Tensor& x) { return x.detach().to(torch::kCPU, torch::kDouble); }

/// [F] as a factor of a weight or bias [F, ...].
Tensor by_output(const Tensor& values, const Tensor& like) {
  std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
  shape[0] = -1;
  return values.view(shape);
}

/// Linear stages without memory, on each value or window by itself: spikes pass them as values do.
bool passes_scale(const Stage& stage) {
  const std::vector<std::string> names = {"pool",  "average_to", "flatten",   "global_average",
                                          "scale", "dropout",    "population"};
  if (std::find(names.begin(), names.end(), stage.part_name()) == names.end()) return false;
  return stage.part_name() != "pool" || stage.config()["kind"] != "max";
}

class SpikingConverter {
 public:
  SpikingConverter(const Network& analog, Network& spiking) : analog_(analog), spiking_(spiking) {}

  std::vector<ConvertedLayer> convert() {
    const auto& nodes = analog_.nodes();
    ST_CHECK(nodes.size() == spiking_.nodes().size() && analog_.notation() == spiking_.notation(),
             "convert: expected a spiking network like ", analog_.notation(), ", got ", spiking_.notation());
    for (size_t n = 0; n < nodes.size(); ++n) {
      node_ = &nodes[n];
      units_.push_back(unit_of(*node_->stage, *spiking_.nodes()[n].stage));
    }
    return std::move(layers_);
  }

 private:
  std::string place() const {
    const std::string token = node_->stage->notation();
    return str("convert: node ", node_->name, token.empty() ? "" : " (" + token + ")", ": ");
  }

  /// What one unit that reaches the node by this input stands for in the analog network.
  double unit(const Network::Input& input) const {
    ST_CHECK(input.delay == 0, place(),
             "it is recurrent, which an analog network of one step has no use for");
    return input.node == Network::kInput ? 1 : units_.at(static_cast<size_t>(input.node));
  }

  /// Converts a node, and says the same of what it sends.
  double unit_of(const Stage& from, Stage& to) {
    if (const auto* layer = dynamic_cast<const Layer*>(&from))
      return unit_of(*layer, dynamic_cast<const Layer&>(to));
    const double first = unit(node_->inputs.at(0));
    if (from.part_name() == "sum") {
      for (const Network::Input& input : node_->inputs)
        ST_CHECK(unit(input) == first, place(), "it adds spikes that stand for different values (", first,
                 " and ", unit(input), "); train a network without residual units");
      return first;
    }
    ST_CHECK(passes_scale(from), place(), "stage ", from.part_name(),
             " does not do to counts of spikes what it does to values; expected average or sum pooling, "
             "flatten, dropout or scale");
    return first;
  }

  double unit_of(const Layer& from, const Layer& to) {
    const bool spikes = from.neuron()->part_name() == "qcfs";
    double up = 1;
    if (spikes) {
      up = from.neuron()->named_parameters()["up"].item<double>();
      ST_CHECK(std::isfinite(up) && up > 0, place(), "its greatest value (up) is ", up,
               ", and a threshold has to be positive; train on, with a smaller learning rate");
      layers_.push_back({node_->name, from.notation(), up});
    }
    for (size_t k = 0; k < from.connections().size(); ++k)
      convert(from.connections()[k], to.connections().at(k), unit(node_->inputs.at(k)) / up, up);
    return up;
  }

  /// W' = in * W, b' = b/up, with the norm's gain and shift in both.
  void convert(const Connection& from, const Connection& to, double in, double up) const {
    ST_CHECK(from.synapse, place(), "an identity shortcut has no weights to take a factor; train a network ",
             "without residual units");
    const std::string name = from.synapse->part_name();
    ST_CHECK(name == "linear" || name == "conv2d", place(), "synapse ", name,
             " cannot be converted; expected linear or conv2d");
    ST_CHECK(
        !from.quantizer, place(),
        "a quantized weight would leave its grid with the factor of the threshold; train with quantizer = \"none\"");
    Tensor weight = in_double(from.weight(/*training=*/false)) * in;
    Tensor bias =
        in_double(from.synapse->bias().defined() ? from.synapse->bias() : torch::zeros({weight.size(0)}));
    if (from.norm) {
      ST_CHECK(folds(*from.norm), place(), "norm ", from.norm->part_name(),
               " cannot be folded into weights; expected bn, tdbn or none");
      const auto [gain, shift] = folded(*from.norm);
      weight = weight * by_output(gain, weight);
      bias = bias.flatten() * gain + shift;
    }
    copy(weight, named(*to.synapse, "weight"));
    const Tensor target = to.synapse->bias();
    ST_CHECK(target.defined() || (bias == 0).all().item<bool>(), place(),
             "the network has no place for a bias; set network.bias = true");
    if (target.defined()) copy(bias / up, target);
  }

  static Tensor named(const Synapse& synapse, const char* name) {
    const auto parameters = synapse.named_parameters(false), buffers = synapse.named_buffers(false);
    return parameters.contains(name) ? parameters[name] : buffers[name];
  }
  void copy(const Tensor& value, Tensor to) const {
    const torch::NoGradGuard no_grad;
    ST_CHECK(value.numel() == to.numel(), place(), "the spiking network has weights of shape ", to.sizes(),
             ", the analog one ", value.sizes());
    to.copy_(value.view(to.sizes()));
  }

  const Network& analog_;
  Network& spiking_;
  const Network::Node* node_ = nullptr;
  std::vector<double> units_;  ///< [node]
  std::vector<ConvertedLayer> layers_;
};

void check_convertible(const Recipe& recipe) {
  const auto name = [](const Config& part) { return part.at("name").get<std::string>(); };
  const auto network = make<NetworkBuilder>(recipe.network);
  ST_CHECK(network->uses_neurons() && !dynamic_cast<const StartsWithWeights*>(network.get()),
           "convert: network ", name(recipe.network), " has neurons of its own; expected one of neuron qcfs");
  ST_CHECK(name(recipe.neuron) == "qcfs", "convert: expected a run with neuron qcfs, got ",
           name(recipe.neuron), "; only its levels become spikes without loss");
  ST_CHECK(
      name(recipe.readout) == "leaky_readout" && recipe.readout["leak"] == 0 && recipe.readout["v_rest"] == 0,
      "convert: expected an output layer whose mean over time is that of its currents, readout = {name = "
      "\"leaky_readout\", leak = 0}, got ",
      recipe.readout.dump());
  const BlockSection& blocks = recipe.blocks;
  ST_CHECK(blocks.size == 0 && blocks.partition.empty() && blocks.output == "joined",
           "convert: expected a network that learned in one block, got one with blocks");
}

}  // namespace

Recipe spiking_recipe(const Recipe& analog, int64_t steps) {
  check_convertible(analog);
  Recipe recipe = analog;
  recipe.title = "spiking: " + analog.title;
  recipe.steps = steps > 0 ? steps : analog.neuron["levels"].get<int64_t>();
  // The surrogate is that of the released code of hybrid step-wise distillation: a triangle one wide on either side.
  recipe.neuron = Registry<Neuron>::get().resolve(
      {{"name", "if"}, {"start", "half"}, {"surrogate", "piecewise_quadratic"}, {"surrogate_scale", 1}});
  Config& network = recipe.network;
  if (network.contains("norm") && network["norm"].is_object()) {  // its shift becomes a bias
    network["norm"] = "none";
    if (network.contains("bias")) network["bias"] = true;
  }
  if (network.contains("weight_standardisation")) network["weight_standardisation"] = false;
  network = Registry<NetworkBuilder>::get().resolve(network);
  recipe.init = {};
  return recipe;
}

std::vector<ConvertedLayer> convert_weights(const Network& analog, Network& spiking) {
  return SpikingConverter(analog, spiking).convert();
}

}  // namespace spiketrain
