// A whole training step (forward, loss, backward, clipping, AdamW, clamp) of the MNIST and Fashion-MNIST
// networks, beside the same network in plain LibTorch autograd.
#include <benchmark/benchmark.h>

#include "bench/support/plain.h"
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/train/optimizer.h"

namespace spiketrain::bench {
namespace {

constexpr int64_t kSteps = 5;

struct Setting {
  const char* spec;
  int64_t batch;
};
const Setting kSettings[] = {{"15C5-P2-40C5-P2-300-10", 50}, {"400-400-10", 100}};

std::shared_ptr<Network> make_network(const char* spec, const Config& neuron) {
  NetworkContext context;
  context.input = {1, 28, 28};
  context.classes = 10;
  context.neuron = context.readout = [neuron] { return Registry<Neuron>::get().make(neuron); };
  auto network = Registry<NetworkBuilder>::get().make({{"name", "spec"}, {"spec", spec}})->build(context);
  network->initialise(1);
  return network;
}

std::shared_ptr<Objective> make_objective() {
  auto objective = Registry<Objective>::get().make({{"name", "kernel"}});
  objective->prepare({10, kSteps, true, 3.0});
  return objective;
}

/// Sparse strokes on a dark ground, as handwritten digits are after normalisation.
Tensor images(int64_t batch) {
  return torch::where(torch::rand({batch, 1, 28, 28}) < 0.19, torch::rand({batch, 1, 28, 28}) * 2.8,
                      torch::full({1}, -0.42));
}

NamedTensors named(const std::vector<Tensor>& weights) {
  NamedTensors list;
  for (const Tensor& W : weights) list.emplace_back(std::to_string(list.size()), W);
  return list;
}

void finish(Optimizer& optimizer, const std::vector<Tensor>& weights) {
  clip_grads(optimizer.parameters(), grad_norm(optimizer.parameters()).item<double>(), 1.0);
  optimizer.step(5e-4);
  clamp_weights(weights, 4.0);
  optimizer.zero_grad();
}

void step(benchmark::State& state) {
  const Setting& s = kSettings[state.range(0)];
  torch::manual_seed(1);
  auto network = make_network(s.spec, {{"name", "psp_lif"}});
  network->train();
  auto objective = make_objective();
  auto encoder = Registry<Encoder>::get().make({{"name", "direct"}});
  const RuleP rule = Registry<Rule>::get().make({{"name", "tssl_bp"}});
  Optimizer optimizer({}, named(network->parameters()));
  const Tensor x = images(s.batch), y = torch::randint(10, {s.batch}, torch::kLong);
  for (auto _ : state) {
    Pass pass = network->start(rule, true);
    const Tensor a = network->forward(encoder->encode(x, {0, kSteps, kSteps}, {}), pass).dense();
    objective->loss(a, y, {0, kSteps, true}).backward();
    finish(optimizer, network->parameters());
  }
  state.SetItemsProcessed(state.iterations() * s.batch);
  state.SetLabel(std::string("spiketrain, ") + s.spec + ", tssl_bp");
}

void plain(benchmark::State& state) {
  const Setting& s = kSettings[state.range(0)];
  torch::manual_seed(1);
  auto network = make_network(s.spec, {{"name", "psp_lif"}});
  const std::vector<Tensor> weights = network->parameters();
  std::vector<PlainLayer> layers;
  for (const Tensor& W : weights) {
    layers.push_back({W, Registry<Neuron>::get().make({{"name", "psp_lif"}}), W.dim() == 4});
  }
  auto objective = make_objective();
  Optimizer optimizer({}, named(weights));
  const Tensor x = images(s.batch), y = torch::randint(10, {s.batch}, torch::kLong);
  for (auto _ : state) {
    std::vector<Tensor> filtered;
    Tensor trace = torch::zeros_like(x);
    for (int64_t t = 0; t < kSteps; ++t) filtered.push_back(trace = trace + (x - trace) / 3.0);
    Tensor a = torch::stack(filtered);
    for (const PlainLayer& layer : layers) a = plain_forward(layer, a);
    objective->loss(a, y, {0, kSteps, true}).backward();
    finish(optimizer, weights);
  }
  state.SetItemsProcessed(state.iterations() * s.batch);
  state.SetLabel(std::string("plain LibTorch autograd, ") + s.spec + ", surrogate gradient");
}

BENCHMARK(step)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(plain)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
