// Networks from a specification, with exact arithmetic: weights k/16 or k/64 with |k| <= 8 and binary inputs,
// so that every sum is exact and results can be compared bit for bit whatever the order of summation.
#pragma once
#include <string>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/network.h"

namespace spiketrain {

inline NetworkContext make_context(const Config& neuron, const Shape& input, int64_t classes) {
  NetworkContext context;
  context.input = input;
  context.classes = classes;
  context.neuron = [neuron] { return Registry<Neuron>::get().make(neuron); };
  context.readout = context.neuron;
  return context;
}

/// options: those of the builder "spec", without the specification.
inline std::shared_ptr<Network> make_spec(const std::string& spec, const NetworkContext& context,
                                          Config options = Config::object()) {
  options["name"] = "spec";
  options["spec"] = spec;
  return Registry<NetworkBuilder>::get().make(options)->build(context);
}

inline RuleP bptt() { return Registry<Rule>::get().make({{"name", "bptt"}}); }

inline void exact_weights(Network& network, uint64_t seed) {
  torch::NoGradGuard no_grad;
  uint64_t index = 0;
  for (Tensor p : network.parameters()) {
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
