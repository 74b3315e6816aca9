// Exact credit through all T steps at the memory of one segment: the sequence runs forward without a graph, the state
// before each segment is kept, and each segment is computed again for its gradient, the last one first.
// With segments of sqrt(T) steps both parts of the memory grow with sqrt(T); time: one more forward pass.
// Source: Chen, Xu, Zhang, Guestrin 2016, "Training deep nets with sublinear memory cost".  Deviation: cut in time
// only, all layers together.  Norms that take statistics over time take them over a segment, as in windows.
// Tests: unit/schedule_test.cpp, engine/schedules_test.cpp.
#include <algorithm>
#include <cmath>

#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct Checkpointed final : Schedule {
  static constexpr const char* kDoc =
      "credit through all steps with the memory of `segment` of them: each segment is computed twice";
  int64_t segment = 0;
  template <class V>
  void visit(V& v) {
    v(segment, "segment", "length of a segment in steps; the last one may be shorter; 0: sqrt(T), rounded up",
      Range{0, 1 << 20});
  }
  Plan plan(const PlanRequest& request) const override {
    const int64_t T = request.steps;
    const auto root = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(T))));
    const int64_t length = segment == 0 ? root : segment;
    ST_CHECK(length <= T, "schedule checkpointed: a segment of ", length,
             " steps is longer than the sequence, T = ", T, "; expected 1 to ", T);
    Plan plan;
    for (int64_t t = 0; t < T; t += length) {
      const int64_t end = std::min(T, t + length);
      plan.push_back({t, end, Role::replay, /*update=*/end == T});
    }
    return plan;
  }
};
ST_REGISTER(Schedule, "checkpointed", Checkpointed);

}  // namespace
}  // namespace spiketrain
