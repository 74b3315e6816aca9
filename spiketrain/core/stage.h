// Stage = one element of a network: it maps a signal over a window to a signal and advances its own state.
// Layers, pooling, dropout and residual units are stages.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/norm.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/core/torch.h"

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

/// The input current of a still image: the same in every window while the weights are, so that one product
/// serves all windows between two updates.
struct StillCurrent {
  Tensor x;     ///< [1,B,*in] the image
  Tensor I;     ///< [1,B,*out] its current, in the graph of the weights
  Tensor leaf;  ///< the same values, cut from it; the credit of the windows gathers in its gradient
  /// Hands the gathered credit on to the weights.
  void settle();
};

/// Everything one forward pass carries besides the signal.
struct Pass {
  RuleP rule;
  bool train = false;
  uint64_t seed = 0, step = 0;          ///< key of the dropout masks
  NetState state = {};                  ///< empty: every stage starts from its initial state
  std::vector<Activity> activity = {};  ///< [slot], added to
  bool hold_still = false;  ///< several windows see the same weights: keep the currents of still images
  std::map<int64_t, StillCurrent> still = {};  ///< [slot] kept since the last settle()
  /// Before the weights change: hands on the credit of still images and forgets them.
  void settle();
};

/// What travels on an edge: 0 or one value (spikes, spikes through dropout), or any real number.
enum class Values { binary, real, as_input };

/// One row of `spiketrain inspect`, and what the cost meter (train/cost.h) knows of a stage.
struct StageInfo {
  std::string spec, kind;
  Shape out;
  int64_t slot = -1;  ///< of the Activity, -1 if the stage emits no spikes
  int64_t parameters = 0;
  int64_t macs = 0;  ///< dense multiply-accumulates per sample and step, forward
  int64_t neurons = 0;
  int64_t block = 0;  ///< the block it belongs to
  bool head = false;  ///< part of that block's head

  // Its place in the graph.  A row reads the row before it; rows of a head read each other and first the
  // block's output; rows inside a unit read what enters the unit, or the row `back` rows above.  The unit's
  // own row comes first and stands for its output.
  bool inner = false;
  int64_t back = 0;

  Values values = Values::real;  ///< of its output
  bool linear = false;           ///< a stationary input stays stationary
  bool temporal = false;         ///< it filters each element in time: a stationary input keeps its image
  bool keeps_input = false;      ///< its input stays in memory until backward has run
  int64_t ops = 0;     ///< elementwise operations per sample and step, forward, without the neurons'
  int64_t buffer = 0;  ///< bytes per sample and step it stores for backward, without those of a layer
  int64_t state = 0;   ///< bytes of state per sample, without the neurons'
  bool copies = true;  ///< its output is memory of its own
  std::shared_ptr<const Synapse> synapse = {};  ///< of a layer
  std::shared_ptr<const Norm> norm = {};        ///< may be null
  std::shared_ptr<const Neuron> neuron = {};    ///< null in a projection
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
