// Run = one batch on its way through a network: the loop of engine/learner.h.
#pragma once
#include <vector>

#include "spiketrain/core/tape.h"
#include "spiketrain/engine/block_costs.h"
#include "spiketrain/engine/learner.h"

namespace spiketrain {

/// Slots of the layers that are read out: the last one, and those of heads.
std::set<int64_t> readout_slots(const Network& network);

class Run {
 public:
  /// UsageError if the batch does not fit the network, the target or the number of steps.
  /// `weight` of the batch's loss, of which this one may be a share.
  Run(const LearnerParts& parts, const Batch& batch, Mode mode, uint64_t iteration, Tally* tally,
      double weight = 1);
  PassResult train(const Plan& plan, const OnUpdate& on_update);
  PassResult infer(const Plan& plan);
  /// Adds what each block takes in live segments to `costs` [block].
  void measure(std::vector<BlockCost>& costs) { costs_ = &costs; }
  /// As train(), without a cut between blocks, the output layer's loss only; returns it.
  Tensor exact(const Plan& plan);

 private:
  /// What a block showed in a segment: its output, and what the objective reads of it.
  struct Shown {
    Signal output, readout;
  };

  /// Steps of a replay segment that are computed again together.
  struct Piece {
    std::vector<int64_t> steps;
    bool learns;
    std::vector<Tensor> leaves = {}, roots = {},
                        carried = {};   ///< states before; readouts; states after, where the gradient crosses
    std::vector<Signal> readouts = {};  ///< [block] if they are others than before
  };
  /// Gradient of the states before the step `first`, in backward.
  struct Later {
    int64_t first = 0;
    std::vector<Tensor> g = {};
  };
  /// Segments whose gradient is still to be taken.
  struct Replayed {
    Segment segment;
    Carry before;
    std::vector<int64_t> activity;  ///< [step] spikes, if steps may be left out
  };

  /// Blocks between which the gradient is cut.
  int64_t blocks() const { return end_to_end_ ? 1 : network_.blocks(); }
  /// Blocks [first(), end()) are here.
  int64_t first() const { return p_.pipe ? p_.pipe->first() : 0; }
  int64_t end() const { return p_.pipe ? p_.pipe->end() : blocks(); }
  bool at_top() const { return end() == blocks(); }
  /// Which of the losses is block b's, and how many there are.
  size_t loss_of(int64_t b) const { return p_.signal->uses_heads() ? static_cast<size_t>(b) : 0; }
  size_t losses() const { return loss_of(blocks() - 1) + 1; }
  Signal input(const Segment& segment) const;
  Signal entering(const Segment& segment) const;
  void leaving(const Signal& x) const;
  Tensor scored_steps(const Segment& segment) const;
  void begin_reading(const Plan& plan);
  void begin_stretch(const Segment& segment);
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
  void select(Segment& whole);
  std::vector<Tensor> errors_over(const Segment& whole, BlockLosses& losses) const;
  std::vector<Piece> pieces(const Segment& segment) const;
  std::vector<Piece> again(const Replayed& replayed);
  void correct_readouts(size_t segment, const std::vector<Piece>& pieces);
  void backward(std::vector<Tensor> roots, std::vector<Tensor> errors) const;
  void add_losses(const BlockLosses& losses);
  PassResult result();

  /// Adds the seconds since `begin`, and takes the time anew.
  using Clock = std::chrono::steady_clock;
  void took(int64_t b, double BlockCost::*part, Clock::time_point& begin) const;

  const LearnerParts& p_;
  Network& network_;
  const Batch& batch_;
  Context context_;
  Carry carry_;
  bool finished_ =
      false;  ///< no segment comes after this one: what it carries away is let go before it goes back
  double weight_;
  ConstantCurrents currents_;
  Penalties penalties_;     ///< of the regularizers
  int64_t learning_ = 0;    ///< steps of segments that learn
  Tensor lengths_, valid_;  ///< on the device of the batch
  int64_t scored_ = 0;      ///< steps with a loss
  Tensor scored_lengths_;   ///< [B] of them, the valid ones
  Tensor read_,
      read_lengths_;  ///< [T,B] bool: valid steps that the prediction is read from; [B] their number
  bool end_to_end_ = false;
  bool skips_ = false;      ///< steps may be left out of what is computed again
  std::vector<bool> kept_;  ///< [T] and these are not; empty: none has been left out
  Tensor kept_valid_;       ///< [T,B] bool, the valid ones of them
  std::vector<Replayed> replayed_;
  std::vector<std::vector<Signal>> readouts_;  ///< [block][replay segment], without graph
  BlockLosses losses_;                         ///< since the last update
  Tensor evidence_, total_loss_;
  std::vector<BlockCost>* costs_ = nullptr;  ///< null: nobody asks
  std::vector<Tensor> outputs_;              ///< of each segment, for targets per step
};

}  // namespace spiketrain
