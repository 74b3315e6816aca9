// The fused LIF scan and its adjoint beside the definition: a loop over step() in ATen, and its autograd.
#include <benchmark/benchmark.h>

#include "spiketrain/core/rule.h"

namespace spiketrain::bench {
namespace {

/// MNIST's first layer (T=5), a Fashion-MNIST layer (T=5), N-MNIST's first layer (T=30).
const std::pair<int64_t, int64_t> kShapes[] = {{5, 432000}, {5, 40000}, {30, 98304}};

struct Case {
  std::shared_ptr<Neuron> neuron = Registry<Neuron>::get().make({{"name", "lif"}});
  Tape tape;
  Tensor delta;

  explicit Case(const benchmark::State& state) {
    torch::manual_seed(1);
    const auto [T, N] = kShapes[state.range(0)];
    tape.I = torch::randn({T, 1, N}) * 0.8;
    tape.in = neuron->initial({1, N}, tape.I.options());
    tape.record = true;
    tape.rule = Registry<Rule>::get().make({{"name", "bptt"}});
    delta = torch::randn_like(tape.I);
    neuron->run(tape);
  }
  void report(benchmark::State& state, const char* label) const {
    state.counters["per_neuron_step"] =
        benchmark::Counter(static_cast<double>(tape.I.numel()),
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
    state.SetLabel(label);
  }
};

void lif_forward(benchmark::State& state) {
  Case c(state);
  for (auto _ : state) c.neuron->run(c.tape);
  c.report(state, "spiketrain");
}
void lif_forward_steps(benchmark::State& state) {
  Case c(state);
  torch::NoGradGuard no_grad;
  for (auto _ : state) c.neuron->Neuron::run(c.tape);
  c.report(state, "loop of ATen operations");
}
void lif_adjoint(benchmark::State& state) {
  Case c(state);
  for (auto _ : state) benchmark::DoNotOptimize(c.neuron->vjp(c.tape, c.delta, {}).g);
  c.report(state, "spiketrain");
}
void lif_adjoint_steps(benchmark::State& state) {
  Case c(state);
  for (auto _ : state) benchmark::DoNotOptimize(c.neuron->Neuron::vjp(c.tape, c.delta, {}).g);
  c.report(state, "autograd, forward and backward");
}

BENCHMARK(lif_forward)->DenseRange(0, 2)->UseRealTime();
BENCHMARK(lif_forward_steps)->DenseRange(0, 2)->UseRealTime();
BENCHMARK(lif_adjoint)->DenseRange(0, 2)->UseRealTime();
BENCHMARK(lif_adjoint_steps)->DenseRange(0, 2)->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
