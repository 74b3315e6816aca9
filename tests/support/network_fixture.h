// Networks from a specification, with exact arithmetic: weights k/16 or k/64 with |k| <= 8 and binary inputs,
// so that every sum is exact and results can be compared bit for bit whatever the order of summation.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/core/network.h"

namespace spiketrain {

inline NetworkContext make_context(const Config& neuron, const Shape& input, int64_t outputs) {
  NetworkContext context;
  context.input = input;
  context.output = {outputs};
  context.neuron = [neuron] { return make<Neuron>(neuron); };
  context.readout = context.neuron;
  return context;
}

/// options: those of the builder "spec", without the specification.
inline std::shared_ptr<Network> make_spec(const std::string& spec, const NetworkContext& context,
                                          Config options = Config::object()) {
  options["spec"] = spec;
  return make<NetworkBuilder>("spec", options)->build(context);
}

inline RuleP bptt() { return make<Rule>("bptt"); }

/// Of a pass that trains.
inline Context train_context(uint64_t seed = 0, uint64_t iteration = 0, RuleP rule = bptt()) {
  Context context;
  context.method.rule = std::move(rule);
  context.mode = Mode::train;
  context.seed = seed;
  context.iteration = iteration;
  return context;
}

/// The output [T,B,*out] in evaluation, from the initial states.
inline Tensor evaluate(Network& network, const Signal& x) {
  const torch::NoGradGuard no_grad;
  Carry carry = network.start();
  return network.forward(x, Context{}, carry).values();
}

/// Rows of all stages, those of heads last.
inline std::vector<StageInfo> rows_of(const Network& network) {
  std::vector<StageInfo> rows;
  for (const Network::Node& node : network.nodes()) {
    for (StageInfo& row : node.stage->describe()) rows.push_back(std::move(row));
  }
  return rows;
}

/// UsageError if there is no such node.
inline const Network::Node& node_of(const Network& network, const std::string& name) {
  for (const Network::Node& node : network.nodes()) {
    if (node.name == name) return node;
  }
  throw UsageError("no node " + name);
}
/// The layer of that name; UsageError if there is none.
inline const Layer& layer_of(const Network& network, const std::string& name) {
  const auto* layer = dynamic_cast<const Layer*>(node_of(network, name).stage.get());
  ST_CHECK(layer, "node ", name, " is no layer");
  return *layer;
}

/// Steps one neuron by its definition, in autograd, starting from its initial state.
struct Cell {
  explicit Cell(const Layer& layer) : neuron(dynamic_cast<const Stepped*>(layer.neuron().get())) {
    ST_CHECK(neuron, "a neuron without a step");
  }
  Tensor operator()(const Tensor& I) {
    if (state.empty()) state = neuron->initial(I.sizes(), I.options().requires_grad(false));
    Stepped::Step now = neuron->step(I, state);
    state = now.next;
    return now.a;
  }
  const Stepped* neuron;
  State state = {};
};

/// Parameters of neurons stay as they are.
inline void exact_weights(Network& network, uint64_t seed) {
  torch::NoGradGuard no_grad;
  uint64_t index = 0;
  for (const auto& item : network.named_parameters()) {
    if (item.key().find("neuron") != std::string::npos) continue;
    Tensor p = item.value();
    Rng rng(seed, Purpose::test, 1, index++);
    const float unit = p.numel() / p.size(0) > 100 ? 64.0F : 16.0F;  // few inputs need more weight
    Tensor values = torch::empty({p.numel()}, torch::kFloat);
    float* value = values.data_ptr<float>();
    // More up than down, so that the network fires.
    for (int64_t i = 0; i < p.numel(); ++i) value[i] = (static_cast<float>(rng.below(13)) - 4.0F) / unit;
    p.copy_(values.view(p.sizes()));
  }
}

/// [T,B,*in] of 0 and 1.
inline Tensor binary_input(int64_t T, int64_t B, const Shape& in, uint64_t seed) {
  std::vector<int64_t> shape = {T, B};
  shape.insert(shape.end(), in.begin(), in.end());
  Tensor x = torch::empty(shape, torch::kFloat);
  Rng rng(seed, Purpose::test, 2);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = rng.uniform() < 0.5 ? 1.0F : 0.0F;
  return x;
}

}  // namespace spiketrain
