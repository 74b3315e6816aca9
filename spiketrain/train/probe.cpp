#include "spiketrain/train/probe.h"

#include <cmath>
#include <limits>

#include "spiketrain/data/loader.h"
#include "spiketrain/train/pass.h"

namespace spiketrain {
namespace {

struct NamedWeight {
  std::string spec;
  Tensor weight;
};

/// Weights of the network's own layers; heads are not part of the network that exact credit trains.
std::vector<NamedWeight> layer_weights(const Network& network) {
  std::vector<NamedWeight> list;
  for (const auto& item : network.named_modules()) {
    const auto synapse = std::dynamic_pointer_cast<Synapse>(item.value());
    if (!synapse || item.key().rfind("head", 0) == 0) continue;
    for (const auto& parameter : synapse->named_parameters(/*recurse=*/false)) {
      if (parameter.key() == "weight") list.push_back({synapse->spec(), parameter.value()});
    }
  }
  return list;
}

std::vector<Tensor> take_gradients(const std::vector<NamedWeight>& weights, Network& network) {
  std::vector<Tensor> gradients;
  for (const NamedWeight& layer : weights) {
    const Tensor& g = layer.weight.grad();
    gradients.push_back(g.defined() ? g.to(torch::kDouble).flatten() : Tensor());
  }
  network.zero_grad(/*set_to_none=*/true);
  return gradients;
}

double cosine(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return std::numeric_limits<double>::quiet_NaN();
  const double norm = a.norm().item<double>() * b.norm().item<double>();
  return norm > 0 ? a.dot(b).item<double>() / norm : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::vector<LayerCosine> gradient_cosines(const Experiment& e, int64_t samples) {
  LoaderOptions options;
  options.batch_size = std::min(samples, e.data.train->size());
  options.shuffle = false;
  Loader loader(*e.data.train, options);
  loader.start(0);
  Batch batch;
  ST_ASSERT(loader.next(batch));

  Network& network = *e.network;
  std::vector<Tensor> buffers;
  for (const Tensor& b : network.buffers()) buffers.push_back(b.clone());
  const std::vector<NamedWeight> weights = layer_weights(network);
  const auto seed = static_cast<uint64_t>(e.recipe.seed);
  const PassInput input = {batch.x.to(e.device), batch.y.to(e.device), {seed, 0, 0}};

  network.zero_grad(/*set_to_none=*/true);
  Pass local = network.start(e.rule, /*train=*/true, seed);
  run_pass(e, e.plan, input, local, [](const Window&, const BlockLosses&) {});
  const std::vector<Tensor> ours = take_gradients(weights, network);
  Pass whole = network.start(e.rule, /*train=*/true, seed);
  run_exact(e, input, whole);
  const std::vector<Tensor> exact = take_gradients(weights, network);

  torch::NoGradGuard no_grad;
  const std::vector<Tensor> now = network.buffers();
  for (size_t i = 0; i < now.size(); ++i) now[i].copy_(buffers[i]);
  std::vector<LayerCosine> result;
  for (size_t i = 0; i < weights.size(); ++i) result.push_back({weights[i].spec, cosine(ours[i], exact[i])});
  return result;
}

}  // namespace spiketrain
