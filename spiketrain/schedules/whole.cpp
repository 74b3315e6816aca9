// One window over all T steps: credit reaches every earlier step.
#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct Whole final : Schedule {
  static constexpr const char* kDoc = "one window over all steps";
  template <class V>
  void visit(V&) {}
  std::vector<Window> plan(int64_t T) const override { return {{0, T, true}}; }
};
ST_REGISTER(Schedule, "whole", Whole);

}  // namespace
}  // namespace spiketrain
