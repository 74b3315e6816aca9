// Exact gradient through all T steps at the memory of one segment: the sequence runs forward without a graph, the state
// before each segment is kept, and each segment is computed again for its gradient, the last one first.
// With segments of sqrt(T) steps both parts of the memory grow with sqrt(T); time: one more forward pass.
// Source: Chen, Xu, Zhang, Guestrin 2016, "Training deep nets with sublinear memory cost".  Deviation: cut in time
// only, all layers together.  Norms that take statistics over time take them over a segment, as in windows.
// Tests: unit/schedule_test.cpp, engine/schedules_test.cpp, engine/last_steps_test.cpp.
#include "spiketrain/parts/schedules/segments.h"

namespace spiketrain {
namespace {

struct Checkpointed final : Schedule {
  static constexpr const char* kDoc =
      "exact gradient through all steps with the memory of `segment` of them: each segment is computed twice";
  int64_t segment = 0, live = 0;
  std::string divide_by = "scored", predict = "all";
  template <class V>
  void visit(V& v) {
    v(segment, "segment", segment_doc(), Range{0, 1 << 20});
    v(live, "live", live_doc(), Range{0, 1 << 20});
    v(divide_by, "divide_by", divide_by_doc(), divide_by_choices());
    v(predict, "predict", predict_doc(), predict_choices());
  }
  Plan plan(const PlanRequest& request) const override {
    Plan plan = replay_segments(request.steps, segment, "checkpointed");
    score_last(plan, request.steps, live, "checkpointed");
    divide_loss(plan, request.steps, divide_by);
    if (predict == "scored") read_scored(plan);
    return plan;
  }
};
ST_REGISTER(Schedule, "checkpointed", Checkpointed);

}  // namespace
}  // namespace spiketrain
