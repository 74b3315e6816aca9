// Current-based LIF: the input is low-pass filtered before the membrane.
//   i[t] = leak_syn*i[t-1] + gain_syn*I[t];   then lif (lif_core.h) with i[t] as its current
// Source: Gerstner & Kistler 2002, "Spiking Neuron Models", in the discrete form that snnTorch's Synaptic, Norse's
// LIFCell (whose state is leak_syn*i[t]) and NIR's CubaLIF share.  Deviation: none.  State: {i, v}.  By steps, not
// fused.  Tests: golden/neurons, grad/neuron, property/neuron.
#include "spiketrain/parts/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct CubaLif final : Stepped {
  static constexpr const char* kDoc = "leaky integrate-and-fire with a synaptic current";
  double leak_syn = 0.5, gain_syn = 1;
  LifCore core;
  Tensor leaks_syn, gains_syn;  ///< as LifCore::coefficient() makes them
  template <class V>
  void visit(V& v) {
    v(leak_syn, "leak_syn", "decay of the synaptic current per step", Range{0, 1});
    v(gain_syn, "gain_syn", "weight of the input in the synaptic current", Range{-1e9, 1e9});
    core.visit_membrane(v);
    core.Firing::visit(v, Choices{{"soft_decayed", "soft", "hard", "hard_input", "none"}});
    core.visit_delay(v);
    core.visit_per(v);
  }
  void check() override { core.check(); }
  void build(const Shape& shape) override {
    leaks_syn = core.coefficient(*this, "leak_syn", leak_syn, shape);
    gains_syn = core.coefficient(*this, "gain_syn", gain_syn, shape);
    core.build(*this, shape);
  }
  uint32_t provides() const override { return kU | kPsi | kJacobian | (euler() ? kCurrentBased : 0U); }
  SpikeTiming timing() const override { return {1 / (1 - core.leak), 1 / (1 - leak_syn), core.threshold}; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros(shape, options), core.initial(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor i = state[0] * leaks_syn + I * gains_syn;
    const LifCore::Charged now = core.step(i, state[1]);
    return {now.s, now.s, {i, now.next}, now.u};
  }

 private:
  /// Whether it is SpikeTiming's neuron: Euler steps of two time constants, and nothing else.
  bool euler() const {
    const bool current = gain_syn == 1 && leak_syn < 1;
    const bool membrane =
        core.decay_input && core.gain == 1 && core.leak < 1 && core.v_rest == 0 && core.scalar();
    return current && membrane && core.reset == "hard" && core.v_reset == 0 && !core.reset_delay;
  }
};
ST_REGISTER(Neuron, "cuba_lif", CubaLif);

}  // namespace
}  // namespace spiketrain
