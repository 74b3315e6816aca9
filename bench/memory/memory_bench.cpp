// Memory and time of training by window length K and block size B (0: end to end): the most bytes of
// activations held at once in one pass, as LibTorch's allocators hand them out, beside what inspect measures on few
// samples and steps, and the seconds of the pass.  AlexNet-shaped network on two maps of 48 x 48, LIF, BPTT; batch from ST_BATCH
// (16).
//   bench_memory --benchmark_filter='K:1/B:1/T:20'
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "spiketrain/recipe/memory.h"
#include "spiketrain/train/probe.h"
#include "tests/support/noise_frames.h"

namespace spiketrain::bench {
namespace {

constexpr double kMiB = 1 << 20;

Experiment alexnet(int64_t batch, int64_t T, int64_t K, int64_t B) {
  return noise_experiment({2, 48, 48}, batch, T, K, B,
                          {"network.spec=96C3-256C3-P2-384C3-P2-384C3-256C3-1024-1024-10",
                           "network.padding=same", "network.pool=avg"});
}

void activations(benchmark::State& state) {
  const int64_t T = state.range(2), K = state.range(0) > 0 ? state.range(0) : T, B = state.range(1);
  const char* wanted = std::getenv("ST_BATCH");
  const int64_t batch = wanted ? std::atoll(wanted) : 16;
  const Experiment e = alexnet(batch, T, K, B);
  int64_t peak = 0;
  for (auto _ : state) peak = measure_activation_bytes(e.training, batch);
  const Dataset& data = *e.training.data.train;
  const auto measured = [&](const Recipe& recipe) {
    return static_cast<double>(measure_memory(recipe, data.sample(), data.target()));
  };
  const double whole = measured(end_to_end(e.recipe));
  state.counters["MiB"] = static_cast<double>(peak) / kMiB;
  state.counters["by_few_MiB"] = measured(e.recipe) / kMiB;
  state.counters["end_to_end_MiB"] = whole / kMiB;
  state.counters["percent"] = 100 * static_cast<double>(peak) / whole;
  state.SetLabel(str("batch ", batch));
}

BENCHMARK(activations)
    ->ArgNames({"K", "B", "T"})
    ->ArgsProduct({{0, 1, 2, 5}, {0, 1, 2}, {4, 20, 100, 200}})
    ->Iterations(1)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
