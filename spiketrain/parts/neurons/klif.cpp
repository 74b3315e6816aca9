// LIF whose membrane is scaled by a learned k and cut at zero.
//   h[t] = leak*v + gain*I[t] + (1-leak)*v_rest;   u[t] = max(0, k*h[t]);   s[t] = H(u[t] - threshold)
//   v = reset(u[t], s[t]); scale_reset divides by k what the reset keeps of u (soft_decayed: all of it)
// Source: Jiang & Zhang 2023, "KLIF: an optimized spiking neuron unit for tuning surrogate gradient slope and
// membrane potential"; conventions as in SpikingJelly.  Deviation: none.  State: {v}.
// Tests: golden/neurons, grad/neuron, property/neuron.
#include "spiketrain/parts/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct Klif final : Stepped {
  static constexpr const char* kDoc = "LIF with a learned scale k of the membrane potential";
  bool scale_reset = false;
  LifCore core;
  Tensor k;  ///< scalar parameter, starts at 1
  template <class V>
  void visit(V& v) {
    v(scale_reset, "scale_reset",
      "divide the membrane potential by k after the spike, which undoes the scaling");
    core.visit_membrane(v);
    core.Firing::visit(v, Choices{{"soft_decayed", "hard", "none"}});
    core.visit_per(v);
  }
  void check() override { core.check(); }
  void build(const Shape& shape) override {
    k = register_parameter("k", torch::ones({}));
    core.build(*this, shape);
  }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {core.initial(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = torch::relu(core.charge(I, state[0]) * k);
    const Tensor s = core.fire(u);
    if (!scale_reset) return {s, s, {core.after(u, s)}, u};
    return {s, s, {core.kind == Reset::hard ? core.after(u / k, s) : core.after(u, s) / k}, u};
  }
};
ST_REGISTER(Neuron, "klif", Klif);

}  // namespace
}  // namespace spiketrain
