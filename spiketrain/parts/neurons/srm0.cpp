// Memoryless membrane with a refractory kernel: the input is filtered before the weights (stage double_filter), which
// makes what a synapse reads its exact eligibility trace.
//   u[t] = gain*I[t] + r[t-1];   s[t] = H(u[t] - threshold);   r[t] = leak_refractory*r[t-1] - (1-leak_refractory)*weight_refractory*s[t]
// output = "membrane": the membrane leaves, to be pooled before stage `fire` makes spikes of it; r still follows s.
// No gradient passes r.
// Sources: Gerstner & Kistler 2002, "Spiking Neuron Models", the SRM0; Kaiser, Mostafa & Neftci 2020, "Synaptic plasticity
// dynamics for deep continuous local learning (DECOLLE)", whose r[t] and r[t-1] are here the state after and before step t.
// Deviation: none.  State: {r}.  By steps, not fused.  Tests: golden/rules, grad/neuron, property/neuron.
#include <string>

#include "spiketrain/core/neuron.h"
#include "spiketrain/ops/surrogate.h"

namespace spiketrain {
namespace {

struct Srm0 final : Stepped {
  static constexpr const char* kDoc =
      "spike response model: the membrane potential is the filtered input plus a refractory term (DECOLLE)";
  double leak_membrane = 0.9, leak_synapse = 0.85, leak_refractory = 0.65, weight_refractory = 1;
  double gain = 1, threshold = 0, surrogate_scale = 10;
  std::string surrogate = "fast_sigmoid", output = "spikes";
  SurrogateCurve curve;
  template <class V>
  void visit(V& v) {
    v(leak_membrane, "leak_membrane",
      "decay per step of the second of the two low-pass filters before the weights", Range{0, 1});
    v(leak_synapse, "leak_synapse",
      "decay per step of the first of the two low-pass filters before the weights", Range{0, 1});
    v(leak_refractory, "leak_refractory", "decay per step of the refractory kernel", Range{0, 1});
    v(weight_refractory, "weight_refractory", "size of the refractory kernel", Range{0, 1e9});
    v(gain, "gain", "weight of the input current", Range{-1e9, 1e9});
    v(threshold, "threshold", "firing threshold, unit of the weights", Range{-1e9, 1e9});
    v(output, "output",
      "output of the layer: spikes, or the membrane potential, to be pooled before stage `fire`",
      Choices{{"spikes", "membrane"}});
    v(surrogate, "surrogate", "surrogate derivative of the spike, used in the backward pass",
      Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale",
      "steepness or width of the surrogate: the number A of the table of surrogates (docs/conventions.md); 0: its default",
      Range{0, 1e9});
  }
  void check() override {
    ST_CHECK(!surrogate_reads_threshold(surrogate), "neuron srm0: the surrogate ", surrogate,
             " has a width in units of the threshold, which is zero by default; choose another surrogate");
  }
  void build(const Shape&) override { curve = surrogate_curve(surrogate, surrogate_scale, 1); }
  Config input_filter() const override {
    return {{"name", "double_filter"}, {"leak_membrane", leak_membrane}, {"leak_synapse", leak_synapse}};
  }
  Emission emits() const override { return output == "spikes" ? Emission() : Emission::analog_values(); }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = I * gain + state[0];
    const Tensor s = spike(u - threshold, curve, /*strict=*/true);
    const Tensor r = state[0] * leak_refractory - s.detach() * ((1 - leak_refractory) * weight_refractory);
    if (output == "spikes") return {s, s, {r}, u};
    return {u, Tensor(), {r}, u};
  }
};
ST_REGISTER(Neuron, "srm0", Srm0);

}  // namespace
}  // namespace spiketrain
