// What pooling and the squared norm (cases_bench.cpp) stand beside: LibTorch, and memcpy.
// Reported: bytes per second of the arrays read and written, in CPU time of all threads.  Threads:
// OMP_NUM_THREADS, for both.
#include <benchmark/benchmark.h>

#include <cstring>

#include "spiketrain/ops/torch.h"

namespace spiketrain::bench {
namespace {

using torch::Tensor;

// First and second pooling layer of the MNIST network, T = 5, batch 50.
void planes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "H"})->MeasureProcessCPUTime();
  b->Args({5 * 50 * 15, 24})->Args({5 * 50 * 40, 8});
}

struct Pool {
  Tensor x, y;
  explicit Pool(const benchmark::State& state)
      : x(torch::randn({state.range(0), state.range(1), state.range(1)})),
        y(torch::randn({state.range(0), state.range(1) / 2, state.range(1) / 2})) {}
  void report(benchmark::State& state) const {
    state.SetBytesProcessed(state.iterations() * 4 * (x.numel() + y.numel()));
  }
};

void torch_pool_forward(benchmark::State& state) {
  torch::NoGradGuard no_grad;
  Pool p(state);
  for (auto _ : state) benchmark::DoNotOptimize(torch::avg_pool2d(p.x, 2));
  p.report(state);
}

void copy(benchmark::State& state) {
  Pool p(state);
  for (auto _ : state) {
    std::memcpy(p.x.data_ptr<float>(), p.y.data_ptr<float>(), static_cast<size_t>(p.y.numel()) * 4);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * 8 * p.y.numel());
}

void torch_norm(benchmark::State& state) {
  const Tensor x = torch::randn({state.range(0)});
  for (auto _ : state) benchmark::DoNotOptimize(x.norm().item<float>());
  state.SetBytesProcessed(state.iterations() * 4 * x.numel());
}

BENCHMARK(torch_pool_forward)->Apply(planes);
BENCHMARK(copy)->Apply(planes);
BENCHMARK(torch_norm)->Arg(210375)->Arg(21156384)->MeasureProcessCPUTime();

}  // namespace
}  // namespace spiketrain::bench
