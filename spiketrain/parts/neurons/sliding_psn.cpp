// Sliding parallel spiking neuron: every neuron of a layer weighs its last k inputs in the same way.
//   h[t] = sum_{i<k} weight[i] * I[t - dilation*(k-1-i)] + bias;   s[t] = H(h[t]);   inputs before the first are zero
// Initial weights: ..., 1/4, 1/2, 1 (the newest).
// Source: Fang et al. 2023 (psn_core.h).  Deviation: `dilation` is 1 there.
// Page: docs/methods/psn.md.  Tests: grad/psn_test.cpp, golden/psn_test.cpp, property/neuron_test.cpp.
#include "spiketrain/parts/neurons/filter_neuron.h"

namespace spiketrain {
namespace {

struct SlidingPsn final : FilterNeuron {
  static constexpr const char* kDoc =
      "parallel spiking neuron without reset that weighs its last k inputs, all neurons alike";
  template <class V>
  void visit(V& v) {
    visit_filter(v);
    core.visit(v);
  }
  void build(const Shape& /*shape*/) override {
    core.build();
    const Tensor w = torch::exp2(torch::arange(1 - k, 1, torch::kFloat));
    weight_ = register_parameter("weight", w);
    bias_ = register_parameter("bias", torch::full({}, -core.threshold, torch::kFloat));
  }
  Constants constants() const override { return {weight_.unbind(0), bias_}; }

 private:
  Tensor weight_, bias_;  ///< [k], scalar
};
ST_REGISTER(Neuron, "sliding_psn", SlidingPsn);

}  // namespace
}  // namespace spiketrain
