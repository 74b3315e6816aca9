// One segment over all T steps: the gradient reaches every earlier step.  The loss may cover the last `live` steps alone.
// Tests: unit/schedule_test.cpp, engine/last_steps_test.cpp.
#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct Whole final : Schedule {
  static constexpr const char* kDoc = "the whole sequence at once, no cut in time";
  int64_t live = 0;
  std::string divide_by = "scored", predict = "all";
  template <class V>
  void visit(V& v) {
    v(live, "live", live_doc(), Range{0, 1 << 20});
    v(divide_by, "divide_by", divide_by_doc(), divide_by_choices());
    v(predict, "predict", predict_doc(), predict_choices());
  }
  Plan plan(const PlanRequest& request) const override {
    Plan plan = {Segment{0, request.steps}};
    score_last(plan, request.steps, live, "whole");
    divide_loss(plan, request.steps, divide_by);
    if (predict == "scored") read_scored(plan);
    return plan;
  }
};
ST_REGISTER(Schedule, "whole", Whole);

}  // namespace
}  // namespace spiketrain
