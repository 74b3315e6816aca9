// Event-driven layers beside BPTT over a grid of steps, on the same neurons and weights: 784-350-10, 50 samples of 150
// input spikes over 20 time units, tau_m = 20 and tau_s = 5 units, membrane readout.  The grid has 1 or 10 steps per
// unit; its output layer, which has cuba_lif neurons too, sends spikes.  Weights stay.
#include <benchmark/benchmark.h>

#include <cmath>

#include "bench/support/learners.h"
#include "spiketrain/base/rng.h"

namespace spiketrain::bench {
namespace {

constexpr int64_t kUnits = 20, kSamples = 50, kPixels = 784, kEach = 150;
constexpr double kTauM = 20, kTauS = 5;

/// Sends the same times whatever it is given.
struct GivenTimes final : Encoder {
  Signal encode(const Batch& /*batch*/, const Request& /*request*/) const override {
    return Signal::times(times);
  }
  SpikeTimes times;
};

SpikeTimes input_times() {
  Rng rng(1, Purpose::test);
  SpikeTimes s;
  s.elements = kPixels;
  s.steps = kUnits;
  const int64_t n = kSamples * kEach;
  s.time = torch::empty({n}, torch::kDouble);
  s.index = torch::empty({n}, torch::kInt64);
  s.offset = torch::arange(kSamples + 1, torch::kInt64) * kEach;
  for (int64_t k = 0; k < n; ++k) {
    s.time.data_ptr<double>()[k] = rng.uniform(0, kUnits);
    s.index.data_ptr<int64_t>()[k] = static_cast<int64_t>(rng.below(kPixels));
  }
  s.time = std::get<0>(s.time.view({kSamples, kEach}).sort(1)).reshape({n});
  return s;
}

std::shared_ptr<Network> event_network() {
  NetworkContext context;
  context.input = {kPixels};
  context.output = {10};
  auto network = make<NetworkBuilder>("event", {{"hidden", {350}}, {"readout", "membrane"}})->build(context);
  network->initialise(1);
  return network;
}

Batch labels() {
  Batch batch;
  batch.x = torch::zeros({kSamples, kPixels});
  batch.target = random_classes(kSamples);
  return batch;
}

LearnerParts parts_of(std::shared_ptr<Network> network, int64_t steps) {
  LearnerParts parts;
  parts.network = std::move(network);
  parts.method.rule = make<Rule>("bptt");
  parts.objective = make<Objective>("rate_ce");
  parts.steps = steps;
  return parts;
}

void run(benchmark::State& state, const LearnerParts& parts, const Batch& batch, bool backward) {
  const Learner learner(parts);
  Tally tally;
  learner.infer(batch, &tally);
  const int64_t hidden = tally.counts().at(0).spikes;
  for (auto _ : state)
    benchmark::DoNotOptimize((backward ? learner.pass(batch, 0) : learner.infer(batch)).loss);
  state.counters["hidden_spikes_per_sample"] = static_cast<double>(hidden) / kSamples;
  state.counters["spikes"] = benchmark::Counter(static_cast<double>(hidden + kSamples * kEach),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

void events(benchmark::State& state, bool backward) {
  torch::manual_seed(1);
  LearnerParts parts = parts_of(event_network(), kUnits);
  auto encoder = std::make_shared<GivenTimes>();
  encoder->times = input_times();
  parts.encoder = encoder;
  run(state, parts, labels(), backward);
}

/// arg: steps per time unit
void grid(benchmark::State& state, bool backward) {
  torch::manual_seed(1);
  const int64_t fine = state.range(0), T = kUnits * fine;
  const double h = 1.0 / static_cast<double>(fine), leak = std::exp(-h / kTauM);
  const auto network = make_network("350-10", {kPixels},
                                    {{"name", "cuba_lif"},
                                     {"leak_syn", std::exp(-h / kTauS)},
                                     {"leak", leak},
                                     {"gain", 1 - leak},
                                     {"reset", "hard"}});
  {
    const torch::NoGradGuard no_grad;
    const auto from = event_network()->parameters();
    auto to = network->parameters();
    for (size_t k = 0; k < to.size(); ++k) to[k].copy_(from[k]);
  }
  const SpikeTimes s = input_times();
  Batch batch = labels();
  batch.x = torch::zeros({T, kSamples, kPixels}, torch::kByte);
  batch.form = Batch::Form::frames;
  for (int64_t k = 0; k < s.time.size(0); ++k) {
    const auto t = static_cast<int64_t>(s.time.data_ptr<double>()[k] / h);
    batch.x.index_put_({t, k / kEach, s.index.data_ptr<int64_t>()[k]}, 1);
  }
  run(state, parts_of(network, T), batch, backward);
}

BENCHMARK_CAPTURE(events, forward, false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(events, forward_backward, true)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(grid, forward, false)->Arg(1)->Arg(10)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(grid, forward_backward, true)
    ->Arg(1)
    ->Arg(10)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
