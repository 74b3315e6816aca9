// Memory and time of schedules by the number of steps T: most bytes of activations held at once in one pass, as LibTorch's
// allocators hand them out, and the seconds of a pass that measures no scores.  Two fully connected
// layers of 400 LIF neurons on 200 inputs that are 1 a tenth of the time, BPTT, batch 16.
//   bench_memory --benchmark_filter='schedule.*T:1024'
#include <benchmark/benchmark.h>

#include "spiketrain/train/probe.h"
#include "tests/support/noise_frames.h"

namespace spiketrain::bench {
namespace {

constexpr double kKiB = 1 << 10;
constexpr int64_t kBatch = 16;

void schedule(benchmark::State& state, const char* schedule) {
  const int64_t T = state.range(0);
  const Experiment e = noise_experiment({200}, kBatch, T, 1, 0,
                                        {"network.spec=400-400-10", "neuron={name=\"lif\",threshold=0.3}",
                                         str("schedule={name=", schedule, "}")});
  const Learner& learner = *e.training.learner;
  state.counters["KiB"] = static_cast<double>(measure_activation_bytes(e.training, kBatch)) / kKiB;
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = torch::zeros({T, kBatch, 200});
  batch.target = {Target::Kind::class_index, torch::arange(kBatch).remainder(10)};
  const Dataset& frames = *e.training.data.train;
  std::vector<uint8_t> sample(static_cast<size_t>(T * 200));
  for (int64_t b = 0; b < kBatch; ++b) {
    frames.read(b, 0, sample.data());
    batch.x.select(1, b).copy_(torch::from_blob(sample.data(), {T, 200}, torch::kByte));
  }
  Tally tally;
  learner.pass(batch, 0, {}, &tally);  // scores are measured here
  for (auto _ : state) benchmark::DoNotOptimize(learner.pass(batch, 1).loss);
  for (size_t l = 0; l < 2; ++l) state.counters[str("density", l + 1)] = tally.counts()[l].rate();
}

#define ST_SCHEDULE(name, toml)           \
  BENCHMARK_CAPTURE(schedule, name, toml) \
      ->ArgName("T")                      \
      ->RangeMultiplier(4)                \
      ->Range(16, 1024)                   \
      ->Unit(benchmark::kMillisecond)     \
      ->UseRealTime()
ST_SCHEDULE(whole, "\"whole\"");
ST_SCHEDULE(checkpointed, "\"checkpointed\"");
ST_SCHEDULE(skipper_50, "\"skipper\"");
ST_SCHEDULE(skipper_mask_50, "\"skipper\", mode=\"mask\"");
ST_SCHEDULE(top_steps_8, "\"top_steps\", live=8");

}  // namespace
}  // namespace spiketrain::bench
