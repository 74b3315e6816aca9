// Stage = what a node of the network computes: it maps signals over a segment to a signal and advances its own part
// of the carry.  Layers, pooling, dropout, filters and sums are stages.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/context.h"
#include "spiketrain/core/neuron.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {

/// What travels on an edge: 0 or one value (spikes, spikes through dropout), or any real number.
enum class Values { binary, real, as_input };

/// What is known of a stage without its place in the network: a row of `spiketrain inspect`, and what the cost meter
/// (cost/cost.h) needs.
struct StageInfo {
  std::string spec, kind;
  Shape out;
  int64_t slot = -1;  ///< of the Tally, -1 if the stage sends no spikes
  int64_t parameters = 0;
  int64_t macs = 0;  ///< dense multiply-accumulates per sample and step, forward
  int64_t neurons = 0;
  Values values = Values::real;  ///< of its output
  bool linear = false;           ///< a constant input stays constant
  bool temporal = false;         ///< it filters each element in time: a constant input keeps its image
  bool keeps_input = false;      ///< its input stays in memory until backward has run
  int64_t ops = 0;     ///< elementwise operations per sample and step, forward, without the neurons'
  int64_t buffer = 0;  ///< bytes per sample and step it stores for backward, without those of a layer
  std::shared_ptr<const Synapse> synapse = {};  ///< of a layer or projection
  std::shared_ptr<const Norm> norm = {};        ///< may be null
  std::shared_ptr<const Neuron> neuron = {};    ///< null in a projection
};

struct Stage : Part, torch::nn::Module {
  /// For inputs of these shapes, one for each of forward()'s; returns the output's.  Once.  UsageError if they do not
  /// fit.
  virtual Shape build(const std::vector<Shape>& in) = 0;
  /// Signals over one segment, all of the same steps and batch.
  virtual Signal forward(const std::vector<Signal>& in, const Context& context, Carry& carry) = 0;
  /// Whether forward() notes its way back on Context::tape.  Of other stages autograd makes a step of it.
  virtual bool taped() const { return false; }
  /// True if what leaves at one step may depend on later ones: the sequence must then come in one segment.
  virtual bool whole_sequence() const { return false; }
  /// Whether inputs may hold spike times (Signal::times), and whether the output does.
  virtual bool takes_times() const { return false; }
  virtual bool sends_times() const { return false; }
  /// The stage in the network notation; "" if it has no token of its own.
  virtual std::string notation() const { return ""; }
  /// Numbers the carried tensors: a stage takes as many slots as it needs, from `next` on.
  virtual void assign_slots(int64_t& next) { slot_ = next++; }
  virtual void initialise(uint64_t /*seed*/) {}
  /// First the stage itself; a layer adds a row for each further synapse that has weights.
  virtual std::vector<StageInfo> describe() const = 0;
  /// First of its slots.
  int64_t slot() const { return slot_; }

 protected:
  int64_t slot_ = -1;
};

}  // namespace spiketrain
