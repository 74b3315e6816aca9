// Errors of pooled maps that stay on the windows; contract in kernels/windows.h.  Tests: equiv/kernel_cases, engine/tape.
#pragma once
#include "spiketrain/base/check.h"
#include "spiketrain/kernels/windows.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// Windows of side k, whose value times `scale` is that of each of their sites.
struct Windows {
  int64_t k = 1;
  double scale = 1;

  /// Shape of what is held for the windows of maps [T,B,C,H,W]; without windows, of anything [T,*].
  std::vector<int64_t> of(at::IntArrayRef maps) const {
    std::vector<int64_t> shape = maps.vec();
    if (k == 1) return shape;
    ST_CHECK(maps.size() == 5, "windows: expected maps [T,B,C,H,W], got ", maps);
    shape[3] /= k;
    shape[4] /= k;
    return shape;
  }
  /// For kernels.  UsageError unless maps with windows lie channels last.
  cpu::Windows in(at::IntArrayRef maps, bool last) const {
    if (k == 1) return {};
    ST_CHECK(last && maps.size() == 5, "windows: expected maps [T,B,C,H,W] that lie channels last");
    return {k, maps[3], maps[4], maps[2], scale};
  }
};

}  // namespace spiketrain::ops
