// Windows of K steps: the state is carried from one to the next, the gradient is not (truncated backpropagation through
// time).  burn_in: a first part of the sequence without error, in which the state settles.  live: error enters in the
// last steps alone; windows before them are a burn-in, the one where they begin passes credit on to its own first step.
// Sources: Williams & Peng 1990; for spiking networks Guo et al. 2023, "Efficient training of spiking neural networks
// with temporally-truncated local backpropagation through time"; burn-in: Kaiser et al. 2020, DECOLLE.
// The papers leave open when the loss is taken and when weights change; both are options here.
// Tests: unit/schedule_test.cpp, engine/schedules_test.cpp, engine/last_steps_test.cpp, grad/truncated_test.cpp.
#include <algorithm>

#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct Truncated final : Schedule {
  static constexpr const char* kDoc =
      "windows of `window` steps; the state is carried over, the gradient is cut (truncated BPTT)";
  int64_t window = 1, burn_in = 0, live = 0;
  std::string update = "batch", loss = "every", divide_by = "scored", predict = "all";
  bool scale_lr = false;
  template <class V>
  void visit(V& v) {
    v(window, "window", "length of a window in steps; the last one may be shorter", Range{1, 1 << 20});
    v(burn_in, "burn_in", "the first so many steps have no loss; the state settles", Range{0, 1 << 20});
    v(update, "update",
      "the optimiser steps once per batch (gradients accumulate), after every window, or after every step "
      "(needs window = 1)",
      Choices{{"batch", "window", "step"}});
    v(loss, "loss", "the loss is taken in every window, or in the last one only", Choices{{"every", "last"}});
    v(live, "live", live_doc(), Range{0, 1 << 20});
    v(divide_by, "divide_by", divide_by_doc(), divide_by_choices());
    v(predict, "predict", predict_doc(), predict_choices());
    v(scale_lr, "scale_lr", "with several updates per batch: divide the learning rate by their number");
  }
  void check() override {
    ST_CHECK(update != "step" || window == 1, "schedule truncated: update = \"step\" needs window = 1, got ",
             window, "; a window's gradient is known only at its end, so use update = \"window\"");
    ST_CHECK(loss == "every" || update == "batch", "schedule truncated: loss = \"last\" leaves the other ",
             "windows without a gradient; use update = \"batch\"");
  }
  Plan plan(const PlanRequest& request) const override {
    const int64_t T = request.steps;
    ST_CHECK(window <= T, "schedule truncated: a window of ", window,
             " steps is longer than the sequence, T = ", T, "; expected 1 to ", T);
    ST_CHECK(burn_in < T, "schedule truncated: a burn-in of ", burn_in, " steps leaves none of the T = ", T,
             " steps for error; expected 0 to ", T - 1);
    ST_CHECK(live == 0 || burn_in == 0, "schedule truncated: burn_in = ", burn_in, " and live = ", live,
             " both say where error begins; expected one of them");
    Plan plan;
    for (int64_t t = 0; t < T;) {
      const bool silent = t < burn_in;
      const int64_t end = std::min(silent ? burn_in : T, t + window);
      const bool last = end == T, error = !silent && (last || loss == "every");
      plan.push_back({t, end, error ? Role::live : Role::burn_in, last || (error && update != "batch"),
                      /*lr_factor=*/1});
      t = end;
    }
    score_last(plan, T, live, "truncated");
    divide_loss(plan, T, divide_by);
    if (predict == "scored") read_scored(plan);
    if (scale_lr) {
      const auto count = static_cast<double>(updates(plan));
      for (Segment& segment : plan) segment.lr_factor = 1.0 / count;
    }
    return plan;
  }
};
ST_REGISTER(Schedule, "truncated", Truncated);

}  // namespace
}  // namespace spiketrain
