// LearningSignal = what the blocks below the last one learn from.  The last block's error is the objective's.
#pragma once
#include "spiketrain/base/registry.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/target.h"

namespace spiketrain {

struct LearningSignal : Part {
  /// True: each block has a head of its own, and the objective's error there is its signal.  delta() is not called.
  virtual bool uses_heads() const { return false; }
  /// True: delta() reads the last block's error, so that all blocks go forward before any goes backward.
  virtual bool reads_error() const { return false; }
  /// True: delta() has the weight of its segment in it, as the error has.  False: it is an average over the K steps, which
  /// the engine weighs by their share of the scored ones.
  virtual bool weighed() const { return reads_error(); }
  /// Draws what is fixed; the same for the same seed.
  virtual void build(const Network& network, uint64_t seed) = 0;
  /// dL/d(output of block b) [K,B,*shape of the block] over a segment.  error [K,B,*out]: dL/d(network's output), if
  /// reads_error(); target: of the batch; valid [K,B] bool, undefined: all.  share: that these are of the samples of the batch
  /// (Batch::share), where the signal is a mean over them.
  virtual Tensor delta(int64_t b, const Tensor& error, const Target& target, int64_t steps,
                       const Tensor& valid, double share = 1) const = 0;
  /// What build() drew, one matrix [outputs, features] for each block below the last; writable.  Empty: nothing is fixed.
  virtual std::vector<Tensor> matrices() const { return {}; }
};

}  // namespace spiketrain
