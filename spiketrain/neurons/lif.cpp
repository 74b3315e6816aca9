// Leaky integrate-and-fire; equations, sources and options in lif_core.h.  State: {v}.  On the CPU in float
// or double one fused scan forward and one backward, memory u and s for all T steps of the window.
// Tests: golden/neurons, grad/neuron, equiv/lif_scan, property/neuron.
#include "spiketrain/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct Lif final : LifNeuron {
  static constexpr const char* kDoc = "leaky integrate-and-fire; learn_leak makes it PLIF";
  template <class V>
  void visit(V& v) {
    core.visit_membrane(v);
    v(core.learn_leak, "learn_leak", "learn leak = 1 - sigmoid(w), one w per layer");
    core.Firing::visit(v, Choices{{"soft_decayed", "soft", "hard", "none"}});
    core.visit_delay(v);
    v(core.raise_after_overshoot, "raise_after_overshoot",
      "where the membrane is over the threshold after a soft_decayed reset, fire next at twice the threshold "
      "only");
  }
  void check() override {
    core.check();
    if (core.learn_leak) core.w = register_parameter("w", torch::scalar_tensor(core.initial_w()));
  }
};
ST_REGISTER(Neuron, "lif", Lif);

}  // namespace
}  // namespace spiketrain
