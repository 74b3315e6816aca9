// Segments that are computed again: what checkpointed and skipper share.
#pragma once
#include <algorithm>
#include <cmath>

#include "spiketrain/core/schedule.h"

namespace spiketrain {

inline const char* segment_doc() {
  return "length of a segment in steps; the last one may be shorter; 0: sqrt(T), rounded up";
}

/// Replay segments of `length` steps, 0: sqrt(T) rounded up; one update.  UsageError if that is more than T.
inline Plan replay_segments(int64_t T, int64_t length, const char* schedule) {
  const auto root = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(T))));
  if (length == 0) length = root;
  ST_CHECK(length <= T, "schedule ", schedule, ": a segment of ", length,
           " steps is longer than the sequence, T = ", T, "; expected 1 to ", T);
  Plan plan;
  for (int64_t t = 0; t < T; t += length) {
    const int64_t end = std::min(T, t + length);
    plan.push_back({t, end, Role::replay, /*update=*/end == T});
  }
  return plan;
}

}  // namespace spiketrain
