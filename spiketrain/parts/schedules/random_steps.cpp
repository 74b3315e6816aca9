// Error enters at K random steps of the sequence, each by itself: the other steps only carry the state on.  The steps
// are drawn anew for every batch, from (seed, iteration); of padded batches among those that a sample reaches.
// Source: Meng et al. 2023, "Towards memory- and time-efficient backpropagation for training spiking neural networks"
// (SLTT-K), where the sum of their losses is divided by T: divide_by = "steps".  Deviation: the default is their mean.
// Tests: unit/schedule_test.cpp, engine/schedules_test.cpp.
#include <algorithm>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct RandomSteps final : Schedule {
  static constexpr const char* kDoc =
      "windows of one step; only `live` random steps of each batch have a loss";
  int64_t live = 1;
  std::string divide_by = "scored";
  template <class V>
  void visit(V& v) {
    v(live, "live", "number of steps of a batch with a loss", Range{1, 1 << 20});
    v(divide_by, "divide_by", divide_by_doc(), divide_by_choices());
  }
  Plan plan(const PlanRequest& request) const override {
    const int64_t T = request.steps;
    ST_CHECK(live <= T, "schedule random_steps: ", live,
             " live steps are more than the sequence has, T = ", T, "; expected 1 to ", T);
    Plan plan;
    for (int64_t t = 0; t < T; ++t) plan.push_back({t, t + 1, Role::burn_in, /*update=*/t + 1 == T});
    const int64_t reached = request.lengths.defined() ? request.lengths.max().item<int64_t>() : T;
    std::vector<int64_t> order =
        permutation(reached, Rng(request.seed, Purpose::schedule, request.iteration));
    order.resize(static_cast<size_t>(std::min(live, reached)));
    for (const int64_t t : order) plan[static_cast<size_t>(t)].role = Role::live;
    divide_loss(plan, T, divide_by);
    return plan;
  }
};
ST_REGISTER(Schedule, "random_steps", RandomSteps);

}  // namespace
}  // namespace spiketrain
