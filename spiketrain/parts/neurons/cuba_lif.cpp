// Current-based LIF: the input is low-pass filtered before the membrane.
//   i[t] = leak_syn*i[t-1] + gain_syn*I[t];   then lif (lif_core.h) with i[t] as its current, or i[t-1] if order is "old"
// Source: Gerstner & Kistler 2002, "Spiking Neuron Models", in the discrete form that snnTorch's Synaptic, Norse's
// LIFCell (whose state is leak_syn*i[t]) and NIR's CubaLIF share.  Deviation: none.  State: {i, v}.  By steps, not
// fused.  Tests: golden/neurons, grad/neuron, property/neuron.
#include "spiketrain/parts/neurons/cuba_core.h"

namespace spiketrain {
namespace {

struct CubaLif final : Stepped {
  static constexpr const char* kDoc = "leaky integrate-and-fire with a synaptic current";
  CubaCore synapse;
  LifCore core;
  template <class V>
  void visit(V& v) {
    synapse.visit(v);
    core.visit_membrane(v);
    core.Firing::visit(v, Choices{{"soft_decayed", "soft", "hard", "hard_input", "none"}});
    core.visit_delay(v);
    core.visit_per(v);
  }
  void check() override { core.check(); }
  void build(const Shape& shape) override {
    synapse.build(*this, core, shape);
    core.build(*this, shape);
  }
  uint32_t provides() const override { return kU | kPsi | kJacobian | (euler() ? kCurrentBased : 0U); }
  SpikeTiming timing() const override {
    return {1 / (1 - core.leak), 1 / (1 - synapse.leak_syn), core.threshold};
  }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros(shape, options), core.initial(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor i = synapse.filter(I, state[0]);
    const LifCore::Charged now = core.step(synapse.seen(i, state[0]), state[1]);
    return {now.s, now.s, {i, now.next}, now.u};
  }

 private:
  /// Whether it is SpikeTiming's neuron: Euler steps of two time constants, and nothing else.
  bool euler() const {
    const bool current = synapse.gain_syn == 1 && synapse.leak_syn < 1 && synapse.order == "new";
    const bool membrane =
        core.decay_input && core.gain == 1 && core.leak < 1 && core.v_rest == 0 && core.scalar();
    return current && membrane && core.reset == "hard" && core.v_reset == 0 && !core.reset_delay;
  }
};
ST_REGISTER(Neuron, "cuba_lif", CubaLif);

}  // namespace
}  // namespace spiketrain
