// Exponential integrate-and-fire.
//   u[t] = v + (I[t] + v_rest - v + rise)/tau_m, rise = sharpness*exp((v - theta_rh)/sharpness)
//   s[t] = H(u[t] - threshold);   v = reset(u, s)
// Source: Fourcaud-Trocme, Hansel, van Vreeswijk & Brunel 2003, "How spike generation mechanisms determine
// the neuronal response to fluctuating inputs", Euler step of one.  Deviation: none.
// Defaults as in SpikingJelly but for sharpness, which is 1 there: such a neuron fires without input.
// State: {v}, before the first step v_reset if the reset is hard, else 0.
// Tests: golden/neurons, grad/neuron, property/neuron.
#include "spiketrain/parts/neurons/firing.h"

namespace spiketrain {
namespace {

struct Eif final : Stepped {
  static constexpr const char* kDoc = "exponential integrate-and-fire";
  double tau_m = 2, sharpness = 0.2, theta_rh = 0.8, v_rest = 0;
  Firing firing;
  Eif() {
    firing.reset = "hard";
    firing.v_reset = firing.own_v_reset = -0.1;
  }
  template <class V>
  void visit(V& v) {
    v(tau_m, "tau_m", "membrane time constant, steps", Range{1, 1e9});
    v(sharpness, "sharpness", "Delta_T: width of the exponential rise, unit of the potential",
      Range{1e-9, 1e9});
    v(theta_rh, "theta_rh",
      "rheobase threshold: above it the membrane potential rises to a spike without input");
    v(v_rest, "v_rest", "resting potential");
    firing.visit(v, Choices{{"soft_decayed", "hard"}});  // without a reset the exponential has no end
  }
  void check() override { firing.check(); }
  void build(const Shape&) override { firing.build(); }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {firing.initial(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor& v = state[0];
    const Tensor rise = torch::exp((v - theta_rh) / sharpness) * sharpness;
    const Tensor u = v + (I + v_rest - v + rise) / tau_m;
    const Tensor s = firing.fire(u);
    return {s, s, {firing.after(u, s)}, u};
  }
};
ST_REGISTER(Neuron, "eif", Eif);

}  // namespace
}  // namespace spiketrain
