#include "spiketrain/train/probe.h"

#include <cmath>
#include <limits>

#include "spiketrain/core/memory_tracker.h"
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

/// The first training samples, and the network as it was when it goes out of scope.
class Probe {
 public:
  Probe(const Experiment& e, int64_t samples)
      : network_(*e.network), seed_(static_cast<uint64_t>(e.recipe.seed)) {
    LoaderOptions options;
    options.batch_size = std::min(samples, e.data.train->size());
    options.shuffle = false;
    Loader loader(*e.data.train, options);
    loader.start(0);
    Batch batch;
    ST_ASSERT(loader.next(batch));
    input = {batch.x.to(e.device), batch.y.to(e.device), {seed_, 0, 0}};
    for (const Tensor& b : network_.buffers()) buffers_.push_back(b.clone());
    network_.zero_grad(/*set_to_none=*/true);
  }
  ~Probe() {
    network_.zero_grad(/*set_to_none=*/true);
    torch::NoGradGuard no_grad;
    const std::vector<Tensor> now = network_.buffers();
    for (size_t i = 0; i < now.size(); ++i) now[i].copy_(buffers_[i]);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  Pass start(const RuleP& rule) const { return network_.start(rule, /*train=*/true, seed_); }
  PassInput input;

 private:
  Network& network_;
  uint64_t seed_;
  std::vector<Tensor> buffers_;
};

void ignore(const Window&, const BlockLosses&) {}

}  // namespace

int64_t measure_activation_bytes(const Experiment& e, int64_t samples) {
  const Probe probe(e, samples);
  for (Tensor p : e.network->parameters()) p.mutable_grad() = torch::zeros_like(p);
  const MemoryTracker tracker;
  Pass pass = probe.start(e.rule);
  run_pass(e, e.plan, probe.input, pass, ignore);
  return tracker.peak();
}

std::vector<LayerCosine> gradient_cosines(const Experiment& e, int64_t samples) {
  const Probe probe(e, samples);
  const std::vector<NamedWeight> weights = layer_weights(*e.network);
  Pass local = probe.start(e.rule);
  run_pass(e, e.plan, probe.input, local, ignore);
  const std::vector<Tensor> ours = take_gradients(weights, *e.network);
  Pass whole = probe.start(Registry<Rule>::get().make({{"name", "bptt"}}));
  run_exact(e, probe.input, whole);
  const std::vector<Tensor> exact = take_gradients(weights, *e.network);
  std::vector<LayerCosine> result;
  for (size_t i = 0; i < weights.size(); ++i) result.push_back({weights[i].spec, cosine(ours[i], exact[i])});
  return result;
}

}  // namespace spiketrain
