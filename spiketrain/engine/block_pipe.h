// Processes in a line, each with consecutive blocks of a network whose blocks learn for themselves: what a block sends goes on to
// the process that has the next, window by window, and nothing comes back.  The process of the last blocks, which knows the
// network's output, is rank 0 of the line; the one of the first blocks is its last rank.
// Source: Guo et al. 2023 for local losses, which leave nothing to wait for from above.
// Tests: engine/block_pipe_test.cpp, tests/parallel.
#pragma once
#include <deque>
#include <memory>

#include "spiketrain/core/group.h"
#include "spiketrain/core/signal.h"

namespace spiketrain {

class BlockPipe {
 public:
  /// `sizes`: blocks of each process, from the input on; their sum is that of the network.  UsageError if there are not as many as
  /// processes in the line, or one has none.
  BlockPipe(std::shared_ptr<Group> line, const std::vector<int64_t>& sizes);

  Group& line() const { return *line_; }
  int64_t blocks() const { return ends_.back(); }
  /// Blocks [first, end) are here.
  int64_t first() const { return first_; }
  int64_t end() const { return end_; }
  bool has(int64_t block) const { return block >= first_ && block < end_; }
  bool at_bottom() const { return line_->rank() + 1 == line_->size(); }
  bool at_top() const { return line_->rank() == 0; }
  /// Rank in the line of the process that has a block.
  int64_t owner(int64_t block) const;

  /// From the process below, in the order in which it sent them; on `device`.
  Signal receive(torch::Device device);
  /// To the process above; waits only if that is more than a few windows behind.
  void send(const Signal& x);
  /// Numbers that the process at the bottom gives to all others, before what follows.
  void pass_on(std::vector<int64_t>& numbers);
  /// Waits until all that was sent has been taken.
  void flush();

 private:
  struct Sent {
    Tensor head, body;
    std::vector<std::shared_ptr<Group::Work>> works;
  };

  std::shared_ptr<Group> line_;
  std::vector<int64_t> ends_;  ///< [stage from the input on]
  int64_t first_ = 0, end_ = 0;
  std::deque<Sent> sent_;
};

}  // namespace spiketrain
