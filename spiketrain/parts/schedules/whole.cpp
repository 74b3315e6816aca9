// One segment over all T steps: credit reaches every earlier step.  Tests: unit/schedule_test.cpp.
#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct Whole final : Schedule {
  static constexpr const char* kDoc = "one window over all steps";
  template <class V>
  void visit(V&) {}
  Plan plan(const PlanRequest& request) const override { return {Segment{0, request.steps}}; }
};
ST_REGISTER(Schedule, "whole", Whole);

}  // namespace
}  // namespace spiketrain
