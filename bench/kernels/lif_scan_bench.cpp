// What the fused LIF scan and its adjoint stand beside: the definition, a loop over step() in ATen, and its
// autograd.
#include <benchmark/benchmark.h>

#include "bench/support/plain.h"

namespace spiketrain::bench {
namespace {

/// The sizes of lif_forward and lif_adjoint in cases_bench.cpp.
void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "N"})->MeasureProcessCPUTime()->Unit(benchmark::kMicrosecond);
  b->Args({5, 432000})->Args({5, 40000})->Args({30, 98304});
}

struct Case {
  std::shared_ptr<Stepped> neuron;
  c10::intrusive_ptr<Record> record;
  Tensor delta;

  explicit Case(const benchmark::State& state) {
    torch::manual_seed(1);
    const Tensor I = torch::randn({state.range(0), 1, state.range(1)}) * 0.6 + 0.2;
    neuron = plain_neuron({{"name", "lif"}}, {state.range(1)});
    record = make_record(*neuron, I, {}, kI | kU);
    delta = torch::randn_like(I);
  }
  void report(benchmark::State& state, const char* label) const {
    const double steps = static_cast<double>(delta.numel()) * static_cast<double>(state.iterations());
    state.counters["per_item"] =
        benchmark::Counter(steps, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.SetLabel(label);
  }
};

void lif_forward_steps(benchmark::State& state) {
  Case c(state);
  torch::NoGradGuard no_grad;
  for (auto _ : state) {
    c.record->state = c.record->before;
    c.neuron->Stepped::run(*c.record, c.record->all());
  }
  c.report(state, "loop of ATen operations");
}
void lif_adjoint_steps(benchmark::State& state) {
  Case c(state);
  for (auto _ : state) benchmark::DoNotOptimize(c.neuron->Stepped::vjp(*c.record, c.delta, {}).g);
  c.report(state, "autograd, forward and backward");
}

BENCHMARK(lif_forward_steps)->Apply(sizes);
BENCHMARK(lif_adjoint_steps)->Apply(sizes);

}  // namespace
}  // namespace spiketrain::bench
