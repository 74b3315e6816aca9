// Lengths in a plan that decide how much a pass holds at once.
#pragma once
#include <algorithm>

#include "spiketrain/core/schedule.h"

namespace spiketrain {

/// Segments that are computed again together.
struct ReplayRun {
  int64_t segments = 0, steps = 0;
};

/// The longest run of them.
inline ReplayRun longest_replay(const Plan& plan) {
  ReplayRun most, run;
  for (const Segment& segment : plan) {
    run =
        segment.role == Role::replay ? ReplayRun{run.segments + 1, run.steps + segment.steps()} : ReplayRun{};
    most = {std::max(most.segments, run.segments), std::max(most.steps, run.steps)};
    if (segment.update) run = {};
  }
  return most;
}

/// Steps of the longest segment that leaves some out.
inline int64_t longest_skipping(const Plan& plan) {
  int64_t most = 0;
  for (const Segment& segment : plan) {
    if (segment.skip != Skip::none) most = std::max(most, segment.steps());
  }
  return most;
}

/// Of those whose credit is cut there.
inline int64_t longest_cut(const Plan& plan) {
  int64_t most = 0;
  for (const Segment& segment : plan) {
    if (segment.skip == Skip::cut) most = std::max(most, segment.steps());
  }
  return most;
}

/// Runs of kept steps of a segment that is cut, if they lie at random.
inline int64_t runs_of_kept(const Plan& plan) {
  int64_t most = 0;
  for (const Segment& segment : plan) {
    const int64_t K = segment.steps();
    if (segment.skip == Skip::cut)
      most = std::max(most, (segment.learning() * (segment.skipped + 1) + K - 1) / K);
  }
  return most;
}

/// Steps of the longest segment that are kept for the way back.
inline int64_t longest_learning(const Plan& plan) {
  int64_t most = 0;
  for (const Segment& segment : plan) most = std::max(most, segment.learning());
  ST_CHECK(most > 0, "memory model: the plan has no segment in which error enters");
  return most;
}

}  // namespace spiketrain
