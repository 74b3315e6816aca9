// Run = one batch on its way through a network: the loop of engine/learner.h.
#pragma once
#include <vector>

#include "spiketrain/core/tape.h"
#include "spiketrain/engine/learner.h"

namespace spiketrain {

class Run {
 public:
  /// UsageError if the batch does not fit the network, the target or the number of steps.
  Run(const LearnerParts& parts, const Batch& batch, Mode mode, uint64_t iteration, Tally* tally);
  PassResult train(const Plan& plan, const OnUpdate& on_update);
  PassResult infer(const Plan& plan);
  /// One segment, no cut between blocks, the output layer's loss only; returns it.
  Tensor exact();

 private:
  /// What a block showed in a segment: its output, and what the objective reads of it.
  struct Shown {
    Signal output, readout;
  };

  Signal input(const Segment& segment) const;
  void begin(const Plan& plan);
  void enter(const Segment& segment);
  Output seen(const Signal& readout, const Segment& segment) const;
  /// `tape` null: in autograd's graph, if that is on.
  Shown run_block(int64_t b, const Signal& x, bool error_enters, Tape* tape = nullptr);
  void predict(const Signal& out, const Segment& segment);
  Objective::Error error_at(const Signal& readout, const Segment& segment) const;
  Tensor signal_at(int64_t b, const Tensor& error, const Segment& segment) const;
  bool learns(int64_t b) const;

  void live(const Segment& segment);
  void burn_in(const Segment& segment);
  void remember(const Segment& segment);
  void replay();
  void backward(std::vector<Tensor> roots, std::vector<Tensor> errors) const;
  void add_losses(const BlockLosses& losses);
  PassResult result();

  /// Segments whose gradient is still to be taken.
  struct Replayed {
    Segment segment;
    Carry before;
  };

  const LearnerParts& p_;
  Network& network_;
  const Batch& batch_;
  Context context_;
  Carry carry_;
  ConstantCurrents currents_;
  Tensor lengths_, valid_;  ///< on the device of the batch
  int64_t scored_ = 0;      ///< steps in which error enters
  Tensor scored_lengths_;   ///< [B] of them, the valid ones
  std::vector<Replayed> replayed_;
  std::vector<std::vector<Signal>> readouts_;  ///< [block][replay segment], without graph
  BlockLosses losses_;                         ///< since the last update
  Tensor evidence_, total_loss_;
  std::vector<Tensor> outputs_;  ///< of each segment, for targets per step
};

}  // namespace spiketrain
