// Quadratic integrate-and-fire.
//   u[t] = v + (I[t] + a0*(v - v_rest)*(v - v_c))/tau_m;   s[t] = H(u[t] - threshold);   v = reset(u, s)
// Source: Gerstner, Kistler, Naud & Paninski 2014, "Neuronal Dynamics", ch. 5, Euler step of one; defaults
// as in SpikingJelly.  Deviation: none.
// State: {v}, before the first step v_reset if the reset is hard, else 0.
// Tests: golden/neurons, grad/neuron, property/neuron.
#include "spiketrain/parts/neurons/firing.h"

namespace spiketrain {
namespace {

struct Qif final : Stepped {
  static constexpr const char* kDoc = "quadratic integrate-and-fire";
  double tau_m = 2, a0 = 1, v_rest = 0, v_c = 0.8;
  Firing firing;
  Qif() {
    firing.reset = "hard";
    firing.v_reset = firing.own_v_reset = -0.1;
  }
  template <class V>
  void visit(V& v) {
    v(tau_m, "tau_m", "membrane time constant, steps", Range{1, 1e9});
    v(a0, "a0", "factor of the quadratic term a0*(u - v_rest)*(u - v_c)", Range{1e-9, 1e9});
    v(v_rest, "v_rest", "resting potential");
    v(v_c, "v_c", "critical potential: above it the membrane potential rises to a spike without input");
    firing.visit(v, Choices{{"soft_decayed", "hard", "none"}});
  }
  void check() override { firing.check(); }
  void build(const Shape&) override { firing.build(); }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {firing.initial(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor& v = state[0];
    const Tensor u = v + (I + (v - v_rest) * (v - v_c) * a0) / tau_m;
    const Tensor s = firing.fire(u);
    return {s, s, {firing.after(u, s)}, u};
  }
};
ST_REGISTER(Neuron, "qif", Qif);

}  // namespace
}  // namespace spiketrain
