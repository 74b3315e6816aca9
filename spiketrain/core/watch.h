// Watch = sees what each node of a network reads and sends, in whatever runs it, without being a part of it: rasters, rates of
// single neurons and counts of operations are made of that.  It changes no pass.
// Tests: train/watch_test.cpp.
#pragma once
#include <map>
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
  /// What the record of the layer at `slot` shall hold, as far as its neuron provides it: of kI, kU and kPsi.
  virtual uint32_t wants(int64_t /*slot*/) const { return kU; }
  /// The neurons of the layer at `slot` have run on a segment, or on a step of it.  The record has what wants() asked for, the states
  /// before and after, and what was sent.  Before saw() of that node.
  virtual void fired(int64_t /*slot*/, const Record& /*record*/, const Context& /*context*/) {}

  /// The one that is told on this thread; null: none.
  static Watch* now();

 private:
  Watch* before_;
};

/// A Watch that keeps copies of what some layers had over a pass.
class Recorder : public Watch {
 public:
  struct Trace {
    std::vector<Tensor> I, u,
        psi;  ///< of each segment or step [K,B,*]: what was asked for and the neuron provides
    std::vector<Tensor> output;  ///< likewise: spikes or counts as uint8; of an analog neuron its values
  };
  /// Keeps of the layer at `slot` its output, and `slots` of kI, kU and kPsi.
  void ask(int64_t slot, uint32_t slots) { asked_[slot] |= slots; }
  /// By slot, of the layers that were asked.
  const std::map<int64_t, Trace>& traces() const { return traces_; }

  void saw(size_t, const std::vector<Signal>&, const Signal&, const Context&) override {}
  uint32_t wants(int64_t slot) const override;
  void fired(int64_t slot, const Record& record, const Context& context) override;

 private:
  std::map<int64_t, uint32_t> asked_;
  std::map<int64_t, Trace> traces_;
};

}  // namespace spiketrain
