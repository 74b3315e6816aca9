// Adaptive leaky integrate-and-fire: each spike raises the threshold, which decays back.
//   u[t] = m[t-1] + gain*I[t];   s[t] = H(u[t] - threshold - beta*b[t-1]), 0 while refractory
//   b[t] = leak_adaptation*b[t-1] + s[t];   m: what the membrane keeps,
//     soft_decayed  leak*(u - drop*s)     soft  leak*u - drop*s     hard  leak*(s ? v_reset : u)     none  leak*u
// drop is the resting threshold, or reset_by.  detach_reset stops the gradient through s there, not through the adaptation.
// refractory: steps after a spike in which the neuron is silent and psi is zero.
// adaptive: share of a layer's neurons, in order the last ones, that adapt; the others are lif.
// Source: Bellec et al. 2020, "A solution to the learning dilemma for recurrent networks of spiking neurons", with their
// surrogate threshold_triangle.  There refractory = n silences n - 1 steps after the one of the spike; here it is the
// number of silent steps.  Deviation: none else.
// State: {m, b} and, if refractory, the silent steps left.  By steps, not fused.
// Tests: golden/rules, grad/neuron, property/neuron.
#include <algorithm>
#include <cmath>

#include "spiketrain/parts/neurons/firing.h"

namespace spiketrain {
namespace {

struct Alif final : Stepped {
  static constexpr const char* kDoc = "LIF whose threshold rises with each spike and decays back";
  double leak = 0.9, gain = 1, leak_adaptation = 0.99, beta = 0.1, adaptive = 1;
  int64_t refractory = 0;
  Firing firing;
  Tensor betas;  ///< buffer, one per neuron
  Alif() {
    firing.reset = "soft";
    firing.surrogate = "threshold_triangle";
  }
  template <class V>
  void visit(V& v) {
    v(leak, "leak",
      "factor by which the membrane potential decays per step: 1: no decay; snnTorch's beta; 1 - 1/tau",
      Range{0, 1});
    v(gain, "gain", "weight of the input current", Range{-1e9, 1e9});
    v(leak_adaptation, "leak_adaptation", "factor by which the rise of the threshold decays per step",
      Range{0, 1});
    v(beta, "beta", "rise of the threshold per spike", Range{0, 1e9});
    v(adaptive, "adaptive", "fraction of a layer's neurons whose threshold adapts; these are the last ones",
      Range{0, 1});
    v(refractory, "refractory", "number of steps after a spike in which the neuron cannot fire",
      Range{0, 1 << 20});
    firing.visit(v, Choices{{"soft_decayed", "soft", "hard", "none"}});
  }
  void check() override { firing.check(); }
  void build(const Shape& shape) override {
    firing.build();
    const Tensor each = torch::full(shape, beta, torch::kFloat);
    const auto rigid = static_cast<int64_t>(std::lround((1 - adaptive) * static_cast<double>(each.numel())));
    each.flatten().slice(0, 0, std::min(rigid, each.numel())).zero_();
    betas = register_buffer("beta", each);
  }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    State state = {firing.initial(shape, options) * leak, torch::zeros(shape, options)};
    if (refractory > 0) state.push_back(torch::zeros(shape, options));
    return state;
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = state[0] + I * gain;
    Tensor s = firing.fire(u - state[1] * betas);
    if (refractory > 0) s = s * (state[2] <= 0).to(s.scalar_type());
    const Tensor z = firing.detach_reset ? s.detach() : s;
    const Tensor m = firing.kind == Reset::soft ? u * leak - z * firing.drop : firing.after(u, s) * leak;
    State next = {m, state[1] * leak_adaptation + s};
    if (refractory > 0)
      next.push_back(torch::relu(state[2] - 1) + s.detach() * static_cast<double>(refractory));
    return {s, s, std::move(next), u};
  }
};
ST_REGISTER(Neuron, "alif", Alif);

}  // namespace
}  // namespace spiketrain
