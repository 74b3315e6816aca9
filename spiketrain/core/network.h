// Network = a graph of stages.  No losses, no rules, no time loop: the engine runs block b on a segment.
//   node   a stage and what it reads: earlier nodes, the network's input, or, with a delay of one step, any node
//   unit   nodes that stay together: a layer or residual unit with the pooling and dropout that follow it
//   block  a run of nodes: the unit of locality.  The gradient may be cut below it.
//   head   local head: nodes that read a block's output and feed an objective only
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/stage.h"

namespace spiketrain {

class Layer;

class Network : public torch::nn::Module {
 public:
  static constexpr int64_t kInput = -1;

  /// What a node reads.
  struct Input {
    int64_t node = kInput;  ///< index of a node, or kInput
    int64_t delay = 0;      ///< 0, or 1: its output one step before; zeros before the first step
    Shape shape = {};       ///< of the output of a delayed node that is not there yet (other than itself)
  };
  struct Node {
    std::string name, token;  ///< module name; what it adds to the notation, "" for nothing
    std::shared_ptr<Stage> stage;
    std::vector<Input> inputs;
    Shape out;
    int64_t unit = 0;
    int64_t head_of = -1;  ///< block whose head it belongs to; -1: none
  };

  explicit Network(Shape input) : input_(std::move(input)) {}

  /// Appends a node that reads `inputs`, in a unit of its own or in the last one, and returns its index.  All nodes
  /// form one block.  `name`: of the module, unique; "" = its index.  `token` nullptr: the stage's own notation.
  /// UsageError if a shape does not fit.
  int64_t add(std::shared_ptr<Stage> stage, std::vector<Input> inputs, bool new_unit, std::string name = "",
              const char* token = nullptr);
  /// Appends a node that reads the node before it.
  int64_t add(std::shared_ptr<Stage> stage, bool new_unit);
  /// Joins units to blocks of these sizes, lowest first: all hidden units, the output layer then joins the last block, or
  /// all units, the output layer last.
  /// `before_pooling`: what follows a block's last layer in its unit moves to the next block.  UsageError if a size
  /// is below 1, the sizes add up to neither, an edge would cross a cut, or heads are there already.
  void partition(const std::vector<int64_t>& sizes, bool before_pooling = false);
  /// Hangs a chain of stages on the output of block b.  UsageError if b is no block or has a head.
  void attach_head(int64_t b, const std::vector<std::shared_ptr<Stage>>& stages);
  /// Draws the initial weights; the same bits for the same seed.
  void initialise(uint64_t seed);

  /// Initial states.
  Carry start() const;
  /// Runs block b on a segment, advancing the carry.  UsageError if b is no block.
  Signal forward_block(int64_t b, const Signal& x, const Context& context, Carry& carry);
  /// The head of block b, applied to the block's output on a segment.
  Signal forward_head(int64_t b, const Signal& x, const Context& context, Carry& carry);
  /// Runs all blocks on a segment, without the heads of blocks.
  Signal forward(const Signal& x, const Context& context, Carry& carry);

  int64_t blocks() const { return static_cast<int64_t>(ends_.size()); }
  bool has_head(int64_t b) const { return !heads_.at(static_cast<size_t>(b)).calls.empty(); }
  /// Units below the output layer (all units if there is only one).
  int64_t hidden_units() const;
  const std::vector<Node>& nodes() const { return nodes_; }
  /// Whether in block b, its head included, each node reads the one before and nothing else.
  bool is_chain(int64_t b) const;
  /// Whether some nodes run one step at a time, between delayed edges; of block b, its head included.  Others may run on a Tape.
  bool runs_by_step() const { return delays_ > 0; }
  bool runs_by_step(int64_t b) const;
  /// Block of a node; of a head's node the block it hangs on.
  int64_t block_of(int64_t node) const;
  /// Layers of block b; those of its head if `head`.
  std::vector<std::shared_ptr<const Layer>> layers(int64_t b, bool head) const;
  /// Parameters of block b, those of its head included.
  std::vector<Tensor> block_parameters(int64_t b) const;
  /// Shape of block b's output.
  const Shape& block_shape(int64_t b) const;
  const Shape& input_shape() const { return input_; }
  const Shape& out_shape() const;
  /// The notation of the papers, e.g. "15C5-P2-40C5-P2-300-10".
  std::string notation() const;
  int64_t parameter_count() const;
  /// Seconds a step, of a network that came with such a number (nir/import.h); 0: it has none.
  double dt() const { return dt_; }
  /// UsageError unless 0, or finite and above it.
  void set_dt(double seconds);

  /// What from_config() needs to build an equal network, blocks and heads included; weights are not part of it.
  /// UsageError if a part was not made by a registry.
  Config config() const;
  static std::shared_ptr<Network> from_config(const Config& config);

 private:
  /// One node in the order of execution.
  struct Call {
    size_t node;
    std::vector<int64_t> from;     ///< [input] position of an earlier call, -1: what enters the block
    std::vector<int64_t> delayed;  ///< [input] slot of Carry::delayed, -1: no delay
    bool keep = false;             ///< a later call other than the next reads it
  };
  struct Program {
    std::vector<Call> calls;
    size_t step_begin = 0, step_end = 0;  ///< calls that run one step at a time: those between delayed edges
    bool chain = true;                    ///< each reads the one before and nothing else
  };

  Program compile(const std::vector<size_t>& nodes, int64_t entry, int64_t& delays) const;
  void check_times(const std::vector<size_t>& nodes, int64_t entry) const;
  void compile();
  /// Every node that a node reads is there.
  bool complete() const;
  Signal forward_node(size_t node, const std::vector<Signal>& in, const Context& context, Carry& carry) const;
  Signal run(const Program& program, const Signal& x, const Context& context, Carry& carry) const;
  /// `release`: lets go of a call's output once nobody reads it any more.
  void call(const Program& program, size_t begin, size_t end, const Signal& x, const Context& context,
            Carry& carry, std::vector<Signal>& out, bool release) const;
  void run_by_step(const Program& program, const Signal& x, const Context& context, Carry& carry,
                   std::vector<Signal>& out) const;
  std::pair<size_t, size_t> nodes_of(int64_t b) const;
  Shape shape_of(const Input& input, size_t reader) const;

  Shape input_;
  std::vector<Node> nodes_;                ///< those of heads last
  std::vector<size_t> ends_;               ///< [block] one past its last node
  size_t body_ = 0;                        ///< number of nodes that are no head's
  std::vector<Program> programs_, heads_;  ///< [block]
  int64_t slots_ = 0, delays_ = 0, units_ = 0;
  double dt_ = 0;
};

/// What a network is built from besides its own options.
struct NetworkContext {
  Shape input;   ///< one sample at one step
  Shape output;  ///< of the last layer: {classes}, or the shape of the values wanted
  std::function<std::shared_ptr<Neuron>()> neuron;   ///< a fresh neuron for each hidden layer
  std::function<std::shared_ptr<Neuron>()> readout;  ///< the output layer's neuron
  Config feedback = nullptr;                         ///< of every synapse that reads a layer; null: transpose
};

struct NetworkBuilder : Part {
  /// UsageError if the network cannot be built on this input, or does not end in `output`.
  virtual std::shared_ptr<Network> build(const NetworkContext& context) const = 0;
  /// False: no stage of it is a Layer, so that it has neither the context's neurons nor a rule.
  virtual bool uses_neurons() const { return true; }
};

}  // namespace spiketrain
