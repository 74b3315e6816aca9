// Learner = a network and how it learns, without recipe and without data set: one call takes one batch through it.
//   for each segment of the schedule's plan, in order
//     live     for each block: forward; loss at its head; backward; its graph is freed; its output goes on, detached
//     burn_in  forward
//     replay   forward, and once more from the last to the first, with the error carried back between them
// That order, "block-major", is what makes a block's segment the only history in memory.  In time-major order all
// blocks go forward before any goes backward: bit-identical, more memory.  One segment and one block is plain
// backpropagation through time.
// Source: Guo et al. 2023, "Efficient training of spiking neural networks with temporally-truncated local
// backpropagation through time"; the execution order is reconstructed from lifetimes.
// Tests: engine/, equiv/blocks_test.cpp, grad/truncated_test.cpp.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/learning_signal.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/optimizer.h"
#include "spiketrain/core/regularizer.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/engine/block_pipe.h"
#include "spiketrain/engine/gradient_sums.h"
#include "spiketrain/ops/event_conv.h"

namespace spiketrain {

/// What a learner is made of.
struct LearnerParts {
  std::shared_ptr<Network> network;
  Method method;
  std::shared_ptr<Objective> objective;
  int64_t steps = 1;                              ///< T
  std::shared_ptr<const Schedule> schedule = {};  ///< null: whole
  std::shared_ptr<const Encoder> encoder = {};    ///< null: direct
  std::shared_ptr<LearningSignal> signal = {};    ///< null: heads
  Target::Kind target = Target::Kind::class_index;
  uint64_t seed = 1;
  bool block_major = true;
  /// Samples that a training pass takes through the network at a time, their gradients adding up; 0: all of the
  /// batch.  Of no effect where samples are not separate: see engine/shares.h.
  int64_t samples_at_once = 0;
  ops::Products products = ops::Products::automatic;  ///< of spikes, while it works
  std::vector<RegularizerP> regularizers = {};
  /// All processes that train this network together; null: one by itself.  See Learner::join().
  std::shared_ptr<Group> group = {};
  /// With those that have other shares of every batch (Batch::share): gradients and losses are those of the whole batch when an
  /// update is due.  Null: this one has all samples.
  std::shared_ptr<GradientSums> sums = {};
  /// With those that have other blocks: what enters the lowest block here comes from one, what leaves the highest goes to another.
  /// Null: this one has all blocks.
  std::shared_ptr<BlockPipe> pipe = {};
  bool group_norms = false;  ///< then norms take their statistics over the batch of all processes
};

/// After a segment that updates: `losses` since the last update.  The callee may change the weights; it returns false
/// if it refused the update because something was not finite: the pass then goes on from fresh states.
using OnUpdate = std::function<bool(const Segment& segment, const BlockLosses& losses)>;

/// What a process with other blocks has is undefined: the prediction, and the losses of blocks that are not here.
struct PassResult {
  Tensor prediction;  ///< [B,*out], or [T,B,*out] for targets per step; see Objective
  Tensor loss;        ///< of the output layer over the segments with a loss; of the samples that are here
  Tensor valid;       ///< [T,B] bool: steps that the prediction is read from, no padding; undefined: all
  Tensor penalties;   ///< [k] double, of each regularizer; undefined: none, or not training
};

class Learner {
 public:
  /// Prepares the objective.  UsageError if parts do not fit each other.
  explicit Learner(LearnerParts parts);

  /// Trains on a batch: gradients are added to the parameters.  `iteration` is the key of dropout and of random plans;
  /// `tally` may be null, `on_update` empty.
  PassResult pass(const Batch& batch, uint64_t iteration, const OnUpdate& on_update = {},
                  Tally* tally = nullptr) const;
  /// The same without learning, in evaluation mode: neither gradients nor statistics of norms change.
  PassResult infer(const Batch& batch, Tally* tally = nullptr) const;
  /// Exact gradient, whatever the schedule, blocks and rule: adds the gradient of the loss of the network's output over
  /// the whole sequence, or its last steps if the schedule has a loss there only, by rule `bptt`; returns that loss.
  Tensor exact_gradient(const Batch& batch, const RuleP& bptt) const;

  /// What passes leave behind for later ones beside the network, by name: "scores" [T] of the steps if the schedule reads
  /// them, -1 before they were measured.  Passes change the tensors in place; who stops and resumes keeps them.
  NamedTensors state() const;

  /// The plan of a batch without lengths; for those of `iteration`.
  Plan plan(uint64_t iteration = 0, const Tensor& lengths = {}) const;

  const LearnerParts& parts() const { return parts_; }
  /// From now on it is one of several processes.  Processes that follow each other form a line, in which the first has the last
  /// blocks: `blocks` says how many each has, from the input on; one number or none: all.  Each line has a share of every batch.
  /// UsageError if the processes do not divide into such lines, or it learns by what processes do not tell each other.
  void join(const std::shared_ptr<Group>& group, const std::vector<int64_t>& blocks = {});
  /// Which share of every batch is here, of how many.
  struct Share {
    int64_t index = 0, of = 1;
  };
  Share share() const;
  /// The same, of the same network, in this process by itself: to measure.
  Learner alone() const {
    Learner one = *this;
    one.parts_.group = nullptr;
    one.parts_.sums = nullptr;
    one.parts_.pipe = nullptr;
    return one;
  }
  /// From now on, see LearnerParts::samples_at_once.
  void hold_samples(int64_t at_once) { parts_.samples_at_once = at_once; }
  Network& network() const { return *parts_.network; }

 private:
  OnUpdate together(const Batch& batch, const Plan& plan, bool at_once, double own,
                    const OnUpdate& on_update) const;
  void score(const Batch& batch, uint64_t iteration) const;

  LearnerParts parts_;
  Tensor scores_;  ///< undefined: the schedule reads none
};

/// Of all its synapses, those of heads as well.
void set_precision(Network& network, Precision precision);
/// UsageError unless every layer's rule fits its neuron, norm and recurrence and the plan, and every neuron the plan.
void check_method(const Network& network, const Method& method, const Plan& plan);
/// UsageError unless processes can share batches.
void check_shares(const LearnerParts& parts);
/// UsageError unless processes can share blocks; `plan` as that of any batch.
void check_line(const LearnerParts& parts, const Plan& plan);
/// UsageError unless every spiking layer's neuron and rule have a place for what the regularizers ask of them.
void check_regularizers(const Network& network, const Method& method,
                        const std::vector<RegularizerP>& regularizers);

}  // namespace spiketrain
