// Watch = sees what each node of a network reads and sends, in whatever runs it, without being a part of it: rasters, rates of
// single neurons and counts of operations are made of that.  It changes no pass.
// Tests: train/watch_test.cpp.
#pragma once
#include <vector>

#include "spiketrain/core/context.h"

namespace spiketrain {

/// Told of the passes that run on the thread which made it, as long as it lives; of several the last made.
class Watch {
 public:
  Watch();
  virtual ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Node `node` of a network has run on a segment, or on a step of it: what it read and sent; `context.valid` is of these
  /// steps.  References are valid during the call only.
  virtual void saw(size_t node, const std::vector<Signal>& in, const Signal& out, const Context& context) = 0;
  /// The neurons of the layer at `slot` have run on a segment, or on a step of it.  The record has the membrane before reset (u)
  /// if the neuron provides it, the states before and after, and what was sent.  Before saw() of that node.
  virtual void fired(int64_t /*slot*/, const Record& /*record*/, const Context& /*context*/) {}

  /// The one that is told on this thread; null: none.
  static Watch* now();

 private:
  Watch* before_;
};

}  // namespace spiketrain
