// Parts that work on sums over all steps of a sequence: on spike counts.  Who needs to know asks the part for it (dynamic_cast).
#pragma once

namespace spiketrain {

/// Of a rule: its gradient is that of sums over the steps, so error has to enter at all steps alike, and the norms of its layers must be
/// OfCounts, too.  Of a norm: what it makes of a step depends on the sum over all of them.  Either needs the sequence in one segment;
/// check_counts() (engine/counts.h) sees to it.
struct OfCounts {
  virtual ~OfCounts() = default;
};

}  // namespace spiketrain
