// Error enters at the last K steps of the sequence, each by itself: the steps before only carry states and traces on.
// Source: Apolinario & Roy 2025, "S-TLLR: STDP-inspired temporal local learning rule for spiking neural networks", whose
// learning signal begins at step T - K.  There the losses of the steps add up: divide_by = "one".  Deviation: none.
// Gradients that reach the steps before: `live` of whole, checkpointed and truncated.
// Tests: unit/schedule_test.cpp, engine/schedules_test.cpp, engine/last_steps_test.cpp.
#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct LastSteps final : Schedule {
  static constexpr const char* kDoc = "windows of one step; only the last `live` steps have a loss";
  int64_t live = 1;
  std::string update = "batch", divide_by = "scored", predict = "all";
  template <class V>
  void visit(V& v) {
    v(live, "live", "number of last steps with a loss", Range{1, 1 << 20});
    v(update, "update",
      "the optimiser steps once per batch (gradients accumulate), or after every step with a loss",
      Choices{{"batch", "step"}});
    v(divide_by, "divide_by", divide_by_doc(), divide_by_choices());
    v(predict, "predict", predict_doc(), predict_choices());
  }
  Plan plan(const PlanRequest& request) const override {
    const int64_t T = request.steps;
    ST_CHECK(live <= T, "schedule last_steps: ", live, " live steps are more than the sequence has, T = ", T,
             "; expected 1 to ", T);
    Plan plan;
    for (int64_t t = 0; t < T; ++t) {
      const bool error = t >= T - live;
      plan.push_back(
          {t, t + 1, error ? Role::live : Role::burn_in, t + 1 == T || (error && update == "step")});
    }
    divide_loss(plan, T, divide_by);
    if (predict == "scored") read_scored(plan);
    return plan;
  }
};
ST_REGISTER(Schedule, "last_steps", LastSteps);

}  // namespace
}  // namespace spiketrain
