// What goes along with a signal through a network, apart by what happens to it:
//   Context  what a pass is told: the same for every part, constant while it runs
//   Carry    what it carries from segment to segment: states and traces; a copy is a snapshot
//   Tally    what it counts
#pragma once
#include <map>
#include <vector>

#include "spiketrain/core/record.h"

namespace spiketrain {

struct Rule;
class Group;
class ConstantCurrents;
class Penalties;
class Tape;

enum class Mode {
  evaluate,  ///< nothing is recorded; norms use their running statistics, dropout is idle
  train,
  replay  ///< a segment of training is computed again: running statistics and tallies stand still
};

/// Spikes of the layers over a pass, per slot.
class Tally {
 public:
  struct Count {
    int64_t spikes = 0, sites = 0;
    double rate() const { return sites ? static_cast<double>(spikes) / static_cast<double>(sites) : 0.0; }
  };
  /// `by_step`: what layers send is counted at each step as well.
  explicit Tally(bool by_step = false) : by_step_(by_step) {}
  /// Adds what a layer sent.  valid [T,B] bool: count these steps of these samples only; undefined: all.
  void add(int64_t slot, const Spikes& s, const Tensor& valid);
  /// Adds the counts of another tally, not its steps.
  void add(const Tally& other);
  /// The same of all steps, counted already.
  void add(int64_t slot, int64_t spikes, int64_t sites);
  /// [slot]
  const std::vector<Count>& counts() const { return counts_; }
  /// [step] Spikes of all layers, if counted by step; as long as the longest that a layer sent.
  const std::vector<int64_t>& steps() const { return steps_; }

 private:
  Count& count(int64_t slot);
  void add_steps(int64_t slot, const Spikes& s, const Tensor& valid);

  bool by_step_;
  std::vector<Count> counts_;
  std::vector<int64_t> steps_;
  std::vector<size_t> next_;  ///< [slot] step of what comes next: some layers run one step at a time
};

/// Which rule each layer learns by.
struct Method {
  std::shared_ptr<const Rule> rule;                            ///< of every layer that `layers` does not name
  std::map<int64_t, std::shared_ptr<const Rule>> layers = {};  ///< by slot
  const std::shared_ptr<const Rule>& at(int64_t slot) const {
    const auto it = layers.find(slot);
    return it == layers.end() ? rule : it->second;
  }
};

struct Context {
  Method method;
  Mode mode = Mode::evaluate;
  uint64_t seed = 0, iteration = 0;  ///< with the samples' ids, the keys of random masks
  Tensor ids = {};         ///< [B] int64 on the CPU: what a sample is called; undefined: its position
  Tensor valid = {};       ///< [T,B] bool: steps of the present segment that are no padding; undefined: all
  Tally* tally = nullptr;  ///< may be null
  Penalties* penalties = nullptr;        ///< of the regularizers, in segments that learn; may be null
  ConstantCurrents* currents = nullptr;  ///< of constant inputs, while several segments see the same weights
  Group* group =
      nullptr;  ///< whose processes have the other samples of the batch, in training; null: this one has all
  bool group_norms = false;  ///< norms take statistics over the whole batch
  Tape* tape = nullptr;  ///< stages note their way back here, not in one graph of autograd's; see core/tape.h
  /// Rules record and advance their traces.
  bool training() const { return mode != Mode::evaluate; }
  /// Id of the sample at position b.
  uint64_t id(int64_t b) const {
    return static_cast<uint64_t>(ids.defined() ? ids.data_ptr<int64_t>()[b] : b);
  }
};

/// [slot] and, for edges with a delay, [edge].
struct Carry {
  std::vector<State> state;       ///< of neurons and filters; empty: the initial state
  std::vector<State> trace;       ///< of the rule, one per synapse
  std::vector<State> post_trace;  ///< of the rule, one per neuron
  std::vector<Tensor> mask;       ///< of dropout: one draw per pass
  std::vector<Signal>
      delayed;  ///< last step of the source of a delayed edge; undefined before the first step
  /// Detaches the states from the graph: no gradient crosses from here on.
  void detach();
  /// The same with states that gather a gradient, for a segment that is computed again from here.
  Carry as_leaves() const;
  /// Everything through which gradients can pass from segment to segment, in a fixed order.
  std::vector<Tensor> tensors() const;
};

/// Input currents of constant signals: the same in every segment while the weights are, so that one product serves
/// all segments between two updates.  Keyed by the slot of the synapse.
class ConstantCurrents {
 public:
  /// The current of `image`, made by `make` unless it is there.  `learns`: a leaf that accumulates the gradient of segments, made in the graph
  /// of the weights, whether or not the segment that asks first is one that learns; `asked`: this one does.
  template <class F>
  Tensor get(int64_t slot, const Tensor& image, bool learns, bool asked, F&& make) {
    Entry& entry = entries_[slot];
    const bool there = entry.image.defined() && entry.image.data_ptr() == image.data_ptr();
    if (!there || entry.leaf.requires_grad() != learns) {
      if (entry.asked && !entry.leaf.grad().defined()) {
        waiting_.push_back(
            std::move(entry));  // an image per segment, of a stage before: gradient still to come
      } else {
        settle(entry);
      }
      const torch::AutoGradMode mode(learns);
      const Tensor I = make();
      entry = {image, I, I.detach().requires_grad_(learns)};
    }
    entry.asked = entry.asked || asked;
    return entry.leaf;
  }
  /// Before the weights change: backpropagates the accumulated gradient to the weights and forgets everything.
  void settle();

 private:
  struct Entry {
    Tensor image, I, leaf;
    bool asked = false;  ///< a segment will add its gradient to the leaf
  };
  static void settle(Entry& entry);
  std::map<int64_t, Entry> entries_;
  std::vector<Entry> waiting_;  ///< replaced before their gradient came
};

}  // namespace spiketrain
