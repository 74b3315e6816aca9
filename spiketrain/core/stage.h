// Stage = one element of a network: it maps a signal over a window to a signal and advances its own state.
// Layers, pooling, dropout and residual units are stages.
#pragma once
#include <torch/torch.h>

#include <string>
#include <vector>

#include "spiketrain/core/rule.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {

/// What one stage carries from window to window.
struct StageState {
  State state;  ///< a neuron's state, a dropout mask
  State trace;  ///< the rule's eligibility traces
};
using NetState = std::vector<StageState>;  ///< [slot]

/// Spikes of one layer, counted over a pass.
struct Activity {
  int64_t spikes = 0, places = 0;
  double rate() const { return places ? static_cast<double>(spikes) / static_cast<double>(places) : 0.0; }
};

/// Everything one forward pass carries besides the signal.
struct Pass {
  RuleP rule;
  bool train = false;
  uint64_t seed = 0, step = 0;          ///< key of the dropout masks
  NetState state = {};                  ///< empty: every stage starts from its initial state
  std::vector<Activity> activity = {};  ///< [slot], added to
};

/// One row of `spiketrain inspect`.
struct StageInfo {
  std::string spec, kind;
  Shape out;
  int64_t slot = -1;  ///< of the Activity, -1 if the stage emits no spikes
  int64_t parameters = 0;
  int64_t macs = 0;  ///< dense multiply-accumulates per sample and step, forward
  int64_t neurons = 0;
  int64_t block = 0;  ///< the block it belongs to
  bool head = false;  ///< part of that block's head
};

class Stage : public torch::nn::Module {
 public:
  virtual Signal forward(const Signal& x, Pass& pass) = 0;
  virtual Shape out_shape() const = 0;
  /// The stage in the network notation.
  virtual std::string spec() const = 0;
  /// Numbers the states: a stage takes as many slots as it needs, from `next` on.
  virtual void assign_slots(int64_t& next) { slot_ = next++; }
  virtual void initialise(uint64_t /*seed*/) {}
  virtual void describe(std::vector<StageInfo>& list) const;

 protected:
  StageState& state(Pass& pass) const { return pass.state.at(static_cast<size_t>(slot_)); }
  int64_t slot_ = -1;
};

/// Number of elements of one sample.
int64_t numel(const Shape& shape);

}  // namespace spiketrain
