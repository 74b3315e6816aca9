// Leaky integrate and analog fire: the membrane is that of lif (lif_core.h), resets included, but the output
// is a[t] = act(u[t]), or act(u[t] - threshold) with threshold_related.
// Source: Wu et al. 2021, "LIAF-Net: leaky integrate and analog fire network for lightweight and efficient
// spatiotemporal information processing".  Deviation: none.  State: {v}.  Analog: it has no events.
// Tests: golden/neurons, grad/neuron, property/neuron.
#include "spiketrain/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct Liaf final : Neuron {
  static constexpr const char* kDoc = "LIF membrane whose output is analog";
  std::string act = "relu";
  bool threshold_related = false;
  LifCore core;
  template <class V>
  void visit(V& v) {
    v(act, "act", "output function of the membrane", Choices{{"relu", "tanh", "identity"}});
    v(threshold_related, "threshold_related", "take the output of u - threshold, not of u");
    core.visit_membrane(v);
    core.Firing::visit(v, Choices{{"soft_decayed", "soft", "hard", "none"}});
    core.visit_delay(v);
  }
  void check() override { core.check(); }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::full(shape, core.v_rest, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const LifCore::Charged now = core.step(I, state[0]);
    const Tensor y = threshold_related ? now.u - core.threshold : now.u;
    const Tensor a = act == "relu" ? torch::relu(y) : act == "tanh" ? torch::tanh(y) : y.clone();
    return {a, Tensor(), {now.next}};
  }
};
ST_REGISTER(Neuron, "liaf", Liaf);

}  // namespace
}  // namespace spiketrain
