// Windows of K steps: the state is carried from one to the next, credit is not (truncated backpropagation
// through time). Source: Williams & Peng 1990; for spiking networks Guo et al. 2023, "Efficient training of
// spiking neural networks with temporally-truncated local backpropagation through time".
#include <algorithm>

#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct Truncated final : Schedule {
  static constexpr const char* kDoc = "windows of `window` steps; state crosses them, credit does not";
  int64_t window = 1;
  std::string update = "batch";
  template <class V>
  void visit(V& v) {
    v(window, "window", "length of a window in steps; the last one may be shorter", Range{1, 1 << 20});
    v(update, "update", "the optimiser steps once per batch (gradients accumulate) or after every window",
      Choices{{"batch", "window"}});
  }
  std::vector<Window> plan(int64_t T) const override {
    std::vector<Window> windows;
    for (int64_t t = 0; t < T; t += window) {
      const int64_t end = std::min(T, t + window);
      windows.push_back({t, end, end == T || update == "window"});
    }
    return windows;
  }
};
ST_REGISTER(Schedule, "truncated", Truncated);

}  // namespace
}  // namespace spiketrain
