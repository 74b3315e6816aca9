// Network = units of stages, joined to blocks.  No losses, no rules, no time loop: the trainer runs block b
// on window w.  A block is the unit of locality: credit may be cut below it, and a head may hang on it.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/registry.h"
#include "spiketrain/core/stage.h"

namespace spiketrain {

class Network : public torch::nn::Module {
 public:
  /// Stages that stay together: a layer or residual unit with the pooling and dropout that follow it, or a
  /// head.
  using Unit = std::vector<std::shared_ptr<Stage>>;

  explicit Network(Shape input) : input_(std::move(input)) {}
  /// Appends a stage, in a unit of its own or to the last unit.  All units form one block.
  void add(std::shared_ptr<Stage> stage, bool new_unit);
  /// Joins the hidden units to blocks of these sizes, lowest first; the output layer joins the last block.
  /// `before_pooling`: what follows a block's last layer in its unit moves to the next block.
  /// UsageError if a size is below 1 or the sizes do not add up to hidden_units().
  void partition(const std::vector<int64_t>& sizes, bool before_pooling = false);
  /// Hangs a readout on block b.  Call once for each block, after partition() and before initialise().
  void attach_head(size_t b, Unit head);
  /// Draws the initial weights; the same bits for the same seed.
  void initialise(uint64_t seed);

  /// A pass that starts from the initial states.
  Pass start(RuleP rule, bool train, uint64_t seed = 0, uint64_t step = 0) const;
  /// Runs block `b` on a window, advancing pass.state.
  Signal forward_block(size_t b, const Signal& x, Pass& pass);
  /// The readout of block b, applied to the block's output on a window.
  Signal forward_head(size_t b, const Signal& x, Pass& pass);
  /// Runs all blocks on a window, without the heads of blocks.
  Signal forward(const Signal& x, Pass& pass);
  /// Cuts the states from the graph: credit does not cross from here on.
  static void detach(NetState& state);

  size_t blocks() const { return ends_.size(); }
  bool has_head(size_t b) const { return b < heads_.size() && !heads_[b].empty(); }
  /// Units below the output layer (all units if there is only one).
  int64_t hidden_units() const;
  /// Parameters of block b, those of its head included.
  std::vector<Tensor> block_parameters(size_t b) const;
  /// Shape of what block b hands on.
  Shape block_shape(size_t b) const;
  const Shape& input_shape() const { return input_; }
  Shape out_shape() const;
  /// The notation the network can be rebuilt from, e.g. "15C5-P2-40C5-P2-300-10".
  std::string spec() const;
  std::vector<StageInfo> describe() const;
  int64_t parameter_count() const;

 private:
  /// Units [first, second) of block b.
  std::pair<size_t, size_t> units_of(size_t b) const { return {b == 0 ? 0 : ends_[b - 1], ends_[b]}; }

  Shape input_;
  std::vector<Unit> units_;
  std::vector<size_t> ends_;  ///< [block] one past its last unit
  std::vector<Unit> heads_;   ///< [block], empty: none
  int64_t slots_ = 0, stages_ = 0;
};

/// What a network is built from besides its own options.
struct NetworkContext {
  Shape input;  ///< one sample at one step
  int64_t classes = 0;
  std::function<std::shared_ptr<Neuron>()> neuron;   ///< a fresh neuron for each hidden layer
  std::function<std::shared_ptr<Neuron>()> readout;  ///< the output layer's neuron
};

struct NetworkBuilder {
  virtual ~NetworkBuilder() = default;
  /// UsageError if the network cannot be built on this input, or does not end in `classes` outputs.
  virtual std::shared_ptr<Network> build(const NetworkContext& context) const = 0;
  virtual void check() {}
};

}  // namespace spiketrain
