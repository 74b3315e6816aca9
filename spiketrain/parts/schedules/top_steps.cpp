// Error enters at the `live` steps that add most to the gradient; the others only carry states and traces on.  Kept
// steps that follow each other are one segment, inside which the gradient crosses steps as usual; elsewhere it is cut.
//   score[t] = sum over the synapses of spiking neurons of |g[t] (x) x[t]|_F, under exact BPTT over the whole sequence
// Ties go to the earlier step.  The learner measures the scores (engine/step_scores.h): in the first batch, anew every
// `refresh` iterations, smoothed by an exponential mean.  They are kept in checkpoints.  In padded batches the best
// among the steps that a sample reaches.
// Source: Lu et al. 2024 (BioCAS), ST-BPTT, "gradient-contribution-driven time-step selection".  Neither text nor code was
// available: the score and the policy are a reconstruction.
// Other selections of the same kind: random_steps, last_steps; by activity: skipper.
// Memory: of the longest run of kept steps, at most `live`; while scores are measured, that of `checkpointed`.
// Page: docs/methods/st-bptt.md.  Tests: golden/memory_rules, unit/schedule_test.cpp, engine/top_steps_test.cpp.
#include <algorithm>
#include <numeric>

#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct TopSteps final : Schedule {
  static constexpr const char* kDoc =
      "the loss is taken at the `live` steps that add most to the gradient, measured from time to time (ST-BPTT)";
  int64_t live = 1, refresh = 0;
  double smoothing = 0;
  std::string divide_by = "scored";
  template <class V>
  void visit(V& v) {
    v(live, "live", "number of steps with a loss", Range{1, 1 << 20});
    v(refresh, "refresh",
      "iterations between two measurements, each of which costs a pass over the whole sequence; 0: the first batch "
      "only",
      Range{0, 1e12});
    v(smoothing, "smoothing", "weight of earlier measurements in the running mean of the scores",
      Range{0, 1});
    v(divide_by, "divide_by", divide_by_doc(), divide_by_choices());
  }
  void check() override {
    ST_CHECK(smoothing < 1, "schedule top_steps: smoothing = ", smoothing,
             " would keep the first scores; expected 0 <= smoothing < 1, or refresh = 0");
  }
  std::optional<Scoring> scoring(int64_t steps) const override {
    if (live >= steps) return {};
    return Scoring{refresh, smoothing};
  }
  Plan plan(const PlanRequest& request) const override {
    const int64_t T = request.steps;
    ST_CHECK(live <= T, "schedule top_steps: ", live, " live steps are more than the sequence has, T = ", T,
             "; expected 1 to ", T);
    const std::vector<bool> kept = best(request);
    Plan plan;
    for (int64_t t = 0; t < T;) {
      int64_t end = t + 1;  // segments without error are no longer than one with error may be
      while (end < T && end - t < live && kept[static_cast<size_t>(end)] == kept[static_cast<size_t>(t)])
        ++end;
      plan.push_back(
          {t, end, kept[static_cast<size_t>(t)] ? Role::live : Role::burn_in, /*update=*/end == T});
      t = end;
    }
    divide_loss(plan, T, divide_by);
    return plan;
  }

 private:
  /// [step]; before any measurement the last ones.
  std::vector<bool> best(const PlanRequest& request) const {
    const int64_t reached = request.lengths.defined() ? request.lengths.max().item<int64_t>() : request.steps;
    std::vector<int64_t> order(static_cast<size_t>(reached));
    std::iota(order.begin(), order.end(), 0);
    if (request.scores.defined()) {
      const double* score = request.scores.data_ptr<double>();
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return score[a] > score[b]; });
    } else {
      std::reverse(order.begin(), order.end());
    }
    std::vector<bool> kept(static_cast<size_t>(request.steps));
    for (int64_t k = 0; k < std::min(live, reached); ++k)
      kept[static_cast<size_t>(order[static_cast<size_t>(k)])] = true;
    return kept;
  }
};
ST_REGISTER(Schedule, "top_steps", TopSteps);

}  // namespace
}  // namespace spiketrain
