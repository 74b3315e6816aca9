// The gradients of a group's processes become those of the batch they share: sums in buckets, which go out while the
// backward pass of what lies below is still running.
// Where a segment updates, its blocks finish one after the other, and in a block its layers from the top; a bucket is sent
// as soon as all its gradients are complete and the buckets before it have gone.  Their order is that of the network, whatever tells a
// process that they are complete: processes need not agree on that.
// Tests: engine/group_test.cpp.
#pragma once
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "spiketrain/core/group.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/optimizer.h"

namespace spiketrain {

/// Loss of each block's head, detached; the output layer's comes last.  Undefined: the block is in another process.
using BlockLosses = std::vector<Tensor>;

class GradientSums {
 public:
  /// A bucket that has reached so much is full: large enough that a message's latency is small beside its time, small enough that
  /// what is left for the end, when nothing hides it, is little.
  static constexpr int64_t kBucketBytes = 1 << 17;

  /// Of the parameters that learn in `blocks`, [first, end), of `network`, and of the running statistics of their norms, if they
  /// are each process's own (`own_statistics`): a group then keeps their mean.
  GradientSums(std::shared_ptr<Group> group, const Network& network, std::pair<int64_t, int64_t> blocks,
               bool own_statistics = true);

  Group& group() const { return *group_; }
  /// When, between two updates, a gradient is complete.
  enum class Complete {
    once_there,  ///< it comes in one piece
    with_block,  ///< when its block has gone back through the last segment
    at_update
  };
  /// Before a pass.
  void begin(Complete when) { when_ = when; }
  /// Some more gradients are there: sends the buckets that are full, in the order of the network.
  void ready();
  /// Block b has gone back through the last segment before an update.
  void finished(int64_t b);
  /// All are there: gradients become those of the whole batch; returns the losses of the whole batch.  `weight`: of this
  /// process's losses; `share`: of the batch's samples that are here.
  BlockLosses finish(const BlockLosses& losses, double weight, double share);
  /// Sent by each update, as Group::begin_sum() is told.
  int64_t bytes_per_update() const;

 private:
  struct Bucket {
    int64_t block;
    NamedTensors parameters = {};
    Tensor flat = {};                        ///< gradients, then for each parameter whether there is one
    std::shared_ptr<Group::Work> work = {};  ///< null: not sent
  };
  void add_buckets(int64_t block, const NamedTensors& parameters);
  void send(Bucket& bucket);
  static void receive(Bucket& bucket);
  BlockLosses sum_losses(const BlockLosses& losses, double weight, double share);

  std::shared_ptr<Group> group_;
  std::vector<Bucket> buckets_;
  std::vector<Tensor> statistics_;
  Complete when_ = Complete::at_update;
  std::set<int64_t> finished_;  ///< blocks, since the last update
};

}  // namespace spiketrain
