// What a segment costs apart from its arithmetic: a small network, 200 steps in segments of one, so that
// records, graph and bookkeeping outweigh the products.  Gradients are added up, weights stay.
#include <benchmark/benchmark.h>

#include "bench/support/learners.h"

namespace spiketrain::bench {
namespace {

constexpr int64_t kSteps = 200, kBatch = 8, kInputs = 64;

void segments(benchmark::State& state, const char* neuron, const char* rule, Batch::Form form) {
  torch::manual_seed(1);
  LearnerParts parts;
  parts.network = make_network("32-10", {kInputs}, {{"name", neuron}});
  parts.method.rule = make<Rule>(rule);
  parts.objective = make<Objective>("rate_ce");
  parts.schedule = make<Schedule>("truncated", {{"window", 1}, {"update", "batch"}});
  parts.steps = kSteps;
  const Learner learner(parts);
  Batch batch = noise_frames(kSteps, kBatch, {kInputs});
  if (form == Batch::Form::image) batch.x = torch::rand({kBatch, kInputs}), batch.form = form;
  for (auto _ : state) benchmark::DoNotOptimize(learner.pass(batch, 0).loss);
  state.counters["per_segment"] =
      benchmark::Counter(kSteps, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(segments, lif_frames, "lif", "bptt", Batch::Form::frames)->UseRealTime();
BENCHMARK_CAPTURE(segments, lif_image, "lif", "bptt", Batch::Form::image)->UseRealTime();
BENCHMARK_CAPTURE(segments, psp_lif_frames, "psp_lif", "tssl_bp", Batch::Form::frames)->UseRealTime();
BENCHMARK_CAPTURE(segments, psp_lif_image, "psp_lif", "tssl_bp", Batch::Form::image)->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
