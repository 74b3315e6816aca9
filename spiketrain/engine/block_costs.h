// What each block of a network takes of a training pass: to share blocks among processes, and to predict how long that takes.
// Tests: engine/block_costs_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

namespace spiketrain {

class Learner;
struct Batch;

struct BlockCost {
  double forward = 0, backward = 0;  ///< seconds, the head included
  int64_t message = 0;  ///< bytes of what it hands on (engine/signal_message.h); of the last block 0
  double seconds() const { return forward + backward; }
};

/// [block] of a training pass over a batch, without an update: the least of so many.  Only the running statistics of norms take
/// notice of it, and they are put back.  UsageError if its schedule takes segments through the blocks a second time.
std::vector<BlockCost> measure_blocks(const Learner& learner, const Batch& batch, int passes = 3);

/// Numbers of consecutive blocks for each of so many processes, at least one, so that the largest sum of `seconds` is least.  UsageError
/// if there are more processes than blocks.
std::vector<int64_t> balanced(const std::vector<double>& seconds, int64_t processes);

}  // namespace spiketrain
