// Network = blocks of stages.  No losses, no rules, no time loop: the trainer runs block b on window w.
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
  /// A block: the unit of locality.  Stages run in order; a stage may itself be a small graph (a residual
  /// unit).
  using Block = std::vector<std::shared_ptr<Stage>>;

  explicit Network(Shape input) : input_(std::move(input)) {}
  /// Appends a stage, in a block of its own or to the last block.
  void add(std::shared_ptr<Stage> stage, bool new_block);
  /// Draws the initial weights; the same bits for the same seed.
  void initialise(uint64_t seed);

  /// A pass that starts from the initial states.
  Pass start(RuleP rule, bool train, uint64_t seed = 0, uint64_t step = 0) const;
  /// Runs block `b` on a window, advancing pass.state.
  Signal forward_block(size_t b, const Signal& x, Pass& pass);
  /// Runs all blocks on a window.
  Signal forward(const Signal& x, Pass& pass);
  /// Cuts the states from the graph: credit does not cross from here on.
  static void detach(NetState& state);

  size_t blocks() const { return blocks_.size(); }
  const Shape& input_shape() const { return input_; }
  Shape out_shape() const;
  /// The notation the network can be rebuilt from, e.g. "15C5-P2-40C5-P2-300-10".
  std::string spec() const;
  std::vector<StageInfo> describe() const;
  int64_t parameter_count() const;

 private:
  Shape input_;
  std::vector<Block> blocks_;
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
