// Windows of K steps: the state is carried from one to the next, credit is not (truncated backpropagation
// through time). Source: Williams & Peng 1990; for spiking networks Guo et al. 2023, "Efficient training of
// spiking neural networks with temporally-truncated local backpropagation through time".
// The paper leaves open when the loss is taken and when weights change; both are options here.
#include <algorithm>

#include "spiketrain/core/schedule.h"

namespace spiketrain {
namespace {

struct Truncated final : Schedule {
  static constexpr const char* kDoc = "windows of `window` steps; state crosses them, credit does not";
  int64_t window = 1;
  std::string update = "batch", loss = "every";
  bool scale_lr = false;
  template <class V>
  void visit(V& v) {
    v(window, "window", "length of a window in steps; the last one may be shorter", Range{1, 1 << 20});
    v(update, "update",
      "the optimiser steps once per batch (gradients accumulate), after every window, or after every step "
      "(needs window = 1)",
      Choices{{"batch", "window", "step"}});
    v(loss, "loss", "error enters in every window, or in the last one only", Choices{{"every", "last"}});
    v(scale_lr, "scale_lr",
      "updates per window: divide the learning rate by the number of updates per batch");
  }
  void check() override {
    ST_CHECK(update != "step" || window == 1, "schedule truncated: update = \"step\" needs window = 1, got ",
             window, "; a window's credit is known at its end, so use update = \"window\"");
    ST_CHECK(loss == "every" || update == "batch", "schedule truncated: loss = \"last\" leaves the other ",
             "windows without a gradient; use update = \"batch\"");
  }
  std::vector<Window> plan(int64_t T) const override {
    ST_CHECK(window <= T, "schedule truncated: a window of ", window,
             " steps is longer than the sequence, T = ", T, "; expected 1 to ", T);
    std::vector<Window> windows;
    for (int64_t t = 0; t < T; t += window) {
      const int64_t end = std::min(T, t + window);
      windows.push_back({t, end, end == T || update != "batch", end == T || loss == "every"});
    }
    if (scale_lr && update != "batch") {
      for (Window& w : windows) w.lr_factor = 1.0 / static_cast<double>(windows.size());
    }
    return windows;
  }
};
ST_REGISTER(Schedule, "truncated", Truncated);

}  // namespace
}  // namespace spiketrain
