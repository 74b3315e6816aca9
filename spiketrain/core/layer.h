// Layer = neurons and the connections that drive them: I = sum over connections of norm(W x + bias), then the neuron.
// Each connection and the neuron are an autograd node; they share one Record.  Autograd carries credit in space, the
// rule carries credit in time, inside the neuron's node.  Where no node runs step by step a Tape takes autograd's place (core/tape.h).
#pragma once
#include "spiketrain/core/rule.h"
#include "spiketrain/core/stage.h"

namespace spiketrain {

/// One input of a layer.  Without a synapse the signal's values are the current (an identity shortcut).
struct Connection {
  std::shared_ptr<Synapse> synapse = {};
  std::shared_ptr<Norm> norm = {};                  ///< may be null
  std::shared_ptr<Feedback> feedback = {};          ///< null: transpose
  std::shared_ptr<const Quantizer> quantizer = {};  ///< of the synapse's weight; null: full precision

  /// Effective weight, in autograd; the deployed one unless `training`.
  Tensor weight(bool training) const {
    const Tensor W = training ? synapse->weight() : synapse->deployed();
    return quantizer ? quantizer->apply(W) : W;
  }
};

class Layer : public Stage {
 public:
  /// The first connection must have a synapse: it fixes the shape.
  Layer(std::vector<Connection> connections, std::shared_ptr<Neuron> neuron);
  /// From what config() wrote.
  static std::shared_ptr<Layer> from_config(const Config& config);

  /// in[k]: shape of connection k's input; empty: the layer's own output, for a recurrent connection.
  Shape build(const std::vector<Shape>& in) override;
  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& carry) override;
  /// Between its weights, leaves, and the neuron lies nothing but biases and norms with a pass() of their own.
  bool taped() const override { return taped_; }
  std::string notation() const override { return connections_[0].synapse->notation(); }
  void assign_slots(int64_t& next) override;
  void initialise(uint64_t seed) override;
  std::vector<StageInfo> describe() const override;
  /// {"name": "layer", "connections": [...], "neuron": {...}}.  UsageError if a part was not made by a registry.
  Config config() const override;

  const std::vector<Connection>& connections() const { return connections_; }
  const std::shared_ptr<Neuron>& neuron() const { return neuron_; }

 private:
  struct Link;
  using LinkP = c10::intrusive_ptr<Link>;
  using RecordP = c10::intrusive_ptr<Record>;
  struct Nodes;
  struct TapedCurrent;
  LinkP link(size_t k, const Signal& x) const;
  bool holds_current(size_t k, const Signal& x, const RuleP& rule, const Context& context) const;
  Tensor held_current(size_t k, const Signal& x, const Context& context) const;
  bool norms_once(size_t k, const Signal& x, const RuleP& rule, const Context& context) const;
  Tensor current(size_t k, const Signal& x, const RuleP& rule, const Context& context, LinkP& link) const;
  RecordP record(const Tensor& I, const ops::ChannelMap& map, const RuleP& rule, const Context& context,
                 bool learns, Storage storage, State& state) const;
  bool takes_map(const Tensor& I, const RuleP& rule, const Context& context) const;
  TapedCurrent taped_current(size_t k, const Signal& x, const RuleP& rule, const Context& context) const;
  std::vector<TapedCurrent> taped_currents(const std::vector<Signal>& in, const RuleP& rule,
                                           const Context& context) const;
  Signal evaluate(const std::vector<Signal>& in, const RuleP& rule, const Context& context,
                  Carry& carry) const;
  Signal forward(const std::vector<Signal>& in, Tape& tape, const RuleP& rule, const Context& context,
                 Carry& carry) const;
  bool learns() const;
  Signal finish(const Tensor& edge, const std::vector<LinkP>& links, const RecordP& record, const RuleP& rule,
                const Context& context, Carry& carry) const;
  Signal output(const Tensor& edge, const Record& record) const;

  std::vector<Connection> connections_;
  std::vector<int64_t> slots_;  ///< [connection], -1 without a synapse
  std::shared_ptr<Neuron> neuron_;
  std::vector<Tensor> parameters_;  ///< of the neuron
  Emission emission_;
  Shape out_;
  bool taped_ = false;
};

}  // namespace spiketrain
