// A whole training step (forward, loss, backward, clipping, AdamW, clamp) of the MNIST and Fashion-MNIST
// networks, beside the same network in plain LibTorch autograd.
#include <benchmark/benchmark.h>

#include "bench/support/learners.h"
#include "bench/support/plain.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/engine/gradients.h"

namespace spiketrain::bench {
namespace {

constexpr int64_t kSteps = 5;

struct Setting {
  const char* spec;
  int64_t batch;
};
const Setting kSettings[] = {{"15C5-P2-40C5-P2-300-10", 50}, {"400-400-10", 100}};
const Config kNeuron = {{"name", "psp_lif"}};

/// Sparse strokes on a dark ground, as handwritten digits are after normalisation.
Tensor images(int64_t batch) {
  return torch::where(torch::rand({batch, 1, 28, 28}) < 0.19, torch::rand({batch, 1, 28, 28}) * 2.8,
                      torch::full({1}, -0.42));
}

/// Batch of a setting, the network and what trains it.
struct Work {
  std::shared_ptr<Network> network;
  std::shared_ptr<Optimizer> optimizer = make<Optimizer>("adamw");
  Batch batch;

  explicit Work(const Setting& s) {
    torch::manual_seed(1);
    network = make_network(s.spec, {1, 28, 28}, kNeuron);
    optimizer->attach(named_parameters(*network));
    batch.x = images(s.batch);
    batch.target = random_classes(s.batch);
  }
  void update() {
    clip_grads(optimizer->parameters(), grad_norm(optimizer->parameters()).item<double>(), 1.0);
    optimizer->step(5e-4);
    clamp_weights(network->parameters(), 4.0);
    optimizer->zero_grad();
  }
};

void step(benchmark::State& state) {
  const Setting& s = kSettings[state.range(0)];
  Work work(s);
  LearnerParts parts;
  parts.network = work.network;
  parts.method.rule = make<Rule>("tssl_bp");
  parts.objective = make<Objective>("van_rossum");
  parts.steps = kSteps;
  const Learner learner(parts);
  uint64_t iteration = 0;
  for (auto _ : state) {
    learner.pass(work.batch, iteration++);
    work.update();
  }
  state.SetItemsProcessed(state.iterations() * s.batch);
  state.SetLabel(std::string("spiketrain, ") + s.spec + ", tssl_bp");
}

/// The network's layers, sharing its weights.
std::vector<PlainLayer> plain_layers(const Network& network) {
  std::vector<PlainLayer> layers;
  for (const auto& layer : network.layers(0, /*head=*/false)) {
    const Tensor W = layer->connections()[0].weight(true);
    layers.push_back({W, plain_neuron(kNeuron, layer->describe()[0].out), W.dim() == 4});
  }
  return layers;
}

void plain(benchmark::State& state) {
  const Setting& s = kSettings[state.range(0)];
  Work work(s);
  const std::vector<PlainLayer> layers = plain_layers(*work.network);
  auto objective = make<Objective>("van_rossum");
  objective->prepare({{10}, kSteps, layers.back().neuron->emits()});
  const Tensor& x = work.batch.x;
  for (auto _ : state) {
    std::vector<Tensor> filtered;
    Tensor trace = torch::zeros_like(x);
    for (int64_t t = 0; t < kSteps; ++t) filtered.push_back(trace = trace + (x - trace) / 3.0);
    Tensor a = torch::stack(filtered);
    for (const PlainLayer& layer : layers) a = plain_forward(layer, a);
    objective->loss({Signal::dense(a), {0, kSteps}, kSteps}, work.batch.target).backward();
    work.update();
  }
  state.SetItemsProcessed(state.iterations() * s.batch);
  state.SetLabel(std::string("plain LibTorch autograd, ") + s.spec + ", surrogate gradient");
}

BENCHMARK(step)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(plain)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
