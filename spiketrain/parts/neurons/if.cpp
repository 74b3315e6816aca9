// Integrate-and-fire: lif without a leak.  u[t] = v + gain*I[t]; the rest as in lif_core.h.  State: {v},
// v_reset before the first step if the reset is hard and start is "rest", threshold/2 if start is "half", else 0.  Here soft_decayed and soft differ only in the
// state.
// Tests: golden/neurons, grad/neuron, equiv/lif_scan, property/neuron.
#include "spiketrain/parts/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct IntegrateAndFire final : LifNeuron {
  static constexpr const char* kDoc = "integrate-and-fire without leak";
  IntegrateAndFire() {
    core.leak = 1;
    core.leaks = false;
  }
  template <class V>
  void visit(V& v) {
    v(core.gain, "gain", "weight of the input current", Range{-1e9, 1e9});
    core.Firing::visit(v, Choices{{"soft_decayed", "hard", "none"}});
    core.visit_delay(v);
    core.visit_start(v);
    core.visit_per(v);
  }
  void check() override {
    core.v_rest = core.reset == "hard" ? core.v_reset : 0;
    core.check();
  }
};
ST_REGISTER(Neuron, "if", IntegrateAndFire);

}  // namespace
}  // namespace spiketrain
