// Schedule = which window of steps is live, and when the optimiser steps.
#pragma once
#include <algorithm>
#include <vector>

#include "spiketrain/core/registry.h"

namespace spiketrain {

/// Steps [t0, t1).  State is carried into a window, credit is not.
struct Window {
  int64_t t0 = 0, t1 = 0;
  bool update = true;    ///< the optimiser steps after this window
  bool loss = true;      ///< error enters in this window
  double lr_factor = 1;  ///< on the learning rate of that update
};

/// Most windows that see the same weights.
inline int64_t windows_per_update(const std::vector<Window>& windows) {
  int64_t most = 0, count = 0;
  for (const Window& window : windows) {
    most = std::max(most, ++count);
    if (window.update) count = 0;
  }
  return most;
}

struct Schedule {
  virtual ~Schedule() = default;
  /// Windows that cover [0, T) in order; the last one updates.
  virtual std::vector<Window> plan(int64_t T) const = 0;
  virtual void check() {}
};

}  // namespace spiketrain
