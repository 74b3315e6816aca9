// Leaky integrate-and-fire; equations, sources and options in lif_core.h.  State: {v}.  On the CPU in float
// or double, with one coefficient of each kind for the layer, one fused scan forward and one backward.
// Tests: golden/neurons, grad/neuron, equiv/lif_scan, property/neuron.
#include "spiketrain/parts/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct Lif final : LifNeuron {
  static constexpr const char* kDoc = "leaky integrate-and-fire; learn_leak makes it PLIF";
  template <class V>
  void visit(V& v) {
    core.visit_membrane(v);
    v(core.learn_leak, "learn_leak",
      "the leak is trained (PLIF): leak = 1 - sigmoid(w), with one w for each value that `per` says");
    core.Firing::visit(v, Choices{{"soft_decayed", "soft", "hard", "none"}});
    core.visit_delay(v);
    v(core.raise_after_overshoot, "raise_after_overshoot",
      "where the membrane potential is still above the threshold after a soft_decayed reset, the neuron next fires at twice the threshold only, as snnTorch's Leaky with reset_delay=False");
    core.visit_per(v);
  }
  void check() override { core.check(); }
};
ST_REGISTER(Neuron, "lif", Lif);

}  // namespace
}  // namespace spiketrain
