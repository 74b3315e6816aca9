// Lengths in a plan that decide how much a pass holds at once.
#pragma once
#include <algorithm>

#include "spiketrain/core/schedule.h"

namespace spiketrain {

/// Length of the longest run of segments that are computed again together.
inline int64_t longest_replay(const Plan& plan) {
  int64_t most = 0, run = 0;
  for (const Segment& segment : plan) {
    run = segment.role == Role::replay ? run + 1 : 0;
    most = std::max(most, run);
    if (segment.update) run = 0;
  }
  return most;
}

/// Steps of the longest segment in which error enters.
inline int64_t longest_learning(const Plan& plan) {
  int64_t most = 0;
  for (const Segment& segment : plan) {
    if (segment.role != Role::burn_in) most = std::max(most, segment.steps());
  }
  ST_CHECK(most > 0, "memory model: the plan has no segment in which error enters");
  return most;
}

}  // namespace spiketrain
