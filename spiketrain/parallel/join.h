// The group of the processes that a launcher has started, over LibTorch's c10d: its TCP store to meet, its Gloo to talk.
// Each process listens on the address by which it reaches MASTER_ADDR, and the store of process 0 answers there and at MASTER_ADDR alone,
// where the system has filters for sockets.  Nothing is encrypted, nobody has to say who he is: for trusted networks alone.
// Tests: tests/parallel.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "spiketrain/core/group.h"
#include "spiketrain/parallel/placement.h"

namespace spiketrain {

struct GroupOptions {
  /// After so long without a sign of life a process is lost; four times as long they may take to meet.
  std::chrono::seconds timeout{30};
  /// Told, from another thread, that the group has lost a process while this one is at work or waits: ends the process, since what it
  /// waits for will not come.
  std::function<void(const std::string& what)> on_loss;
  /// Told what is not as it should be, and does not keep the processes from their work.
  std::function<void(const std::string& what)> warn;
};

/// Whether this build can; LibTorch without c10d or Gloo's headers cannot.
bool has_groups();

/// A process's place in its group, until it leaves or the group is lost.
class Membership {
 public:
  /// Meets the others.  UsageError if this build cannot, GroupError if they do not come within the timeout.
  static std::shared_ptr<Membership> join(const Placement& placement, const GroupOptions& options);
  virtual ~Membership() = default;
  virtual std::shared_ptr<Group> group() const = 0;
  /// Tells the others that this process has done its work, or why it cannot go on; then it may end.
  virtual void leave(const std::string& why) = 0;
};

}  // namespace spiketrain
