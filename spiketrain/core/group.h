// Group = the processes that train one network together, each on a share of every batch.  A process by itself has none.
// What a process does with its group has to be the same calls in the same order in all of them.
// Tests: engine/group_test.cpp (threads in place of processes), parallel/.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/ops/torch.h"

namespace spiketrain {
using torch::Tensor;

/// Another process of the group ended, hangs or cannot be reached.  Exit 5.
struct GroupError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Group {
 public:
  /// Of something that goes on in the background.
  struct Work {
    virtual ~Work() = default;
    /// GroupError if it cannot be done.
    virtual void wait() = 0;
  };
  /// What this process has sent itself (payload, as the algorithm that c10d takes does it) and how long it has waited.
  struct Traffic {
    int64_t messages = 0, bytes = 0;
    double seconds_waiting = 0;
  };

  virtual ~Group() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  /// Begins to add up x of all processes in place: contiguous, on the CPU, alike in size and type.  After wait() all of them have
  /// the same bits, and the same again in another run of as many processes.
  virtual std::shared_ptr<Work> begin_sum(const Tensor& x) = 0;
  /// x of process `from` to all others, in place.
  virtual void broadcast(const Tensor& x, int64_t from = 0) = 0;
  /// Begins to send x to one process, which receives with the same size and type, in the order of sending.
  virtual std::shared_ptr<Work> begin_send(const Tensor& x, int64_t to) = 0;
  virtual void receive(const Tensor& x, int64_t from) = 0;
  /// The processes of this group with the same `color`, by their rank here.
  virtual std::shared_ptr<Group> split(int64_t color) = 0;
  /// Lets all know that the run is to stop, and whether somebody has; for groups in which there is no message on every batch.
  virtual void ask_to_stop() = 0;
  virtual bool asked_to_stop() = 0;
  /// The texts of all processes, by rank.
  virtual std::vector<std::string> gather(const std::string& text) = 0;
  virtual Traffic traffic() const = 0;
  /// Since the last call.
  Traffic traffic_since_last() {
    const Traffic now = traffic(), since = {now.messages - last_.messages, now.bytes - last_.bytes,
                                            now.seconds_waiting - last_.seconds_waiting};
    last_ = now;
    return since;
  }

  void sum(const Tensor& x) { begin_sum(x)->wait(); }

 private:
  Traffic last_;
};

/// The same text, or bytes, in all processes: those of process 0.
std::string broadcast(Group& group, const std::string& text);

/// Numbers of the processes, to be added up in one message.  Null group: they stay as they are.
class GroupSums {
 public:
  explicit GroupSums(Group* group) : group_(group) {}
  void add(double& x);
  /// Exact below 2^53.
  void add(int64_t& x);
  /// Any shape, on any device; replaced by the sum.
  void add(Tensor& x);
  void run() { begin(), finish(); }
  /// The same in two parts, between which something else may be done; what was added must stay where it is.
  void begin();
  void finish();

 private:
  Group* group_;
  Tensor all_;
  std::shared_ptr<Group::Work> work_;
  std::vector<double*> reals_;
  std::vector<int64_t*> counts_;
  std::vector<Tensor*> tensors_;
};

}  // namespace spiketrain
