// Leaky integrator without spikes, for outputs: a[t] = u[t] = leak*u[t-1] + gain*I[t] + (1-leak)*v_rest, with
// decay_input as in lif_core.h.  leak = 1 sums the input.  State: {u}.
// Source: the non-firing membrane of lif_core.h.  Deviation: none.  Tests: grad/neuron, property/neuron.
#include "spiketrain/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct LeakyReadout final : Neuron {
  static constexpr const char* kDoc = "leaky integrator that does not spike; its output is the membrane";
  LifCore core;
  template <class V>
  void visit(V& v) {
    core.visit_membrane(v);
  }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::full(shape, core.v_rest, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = core.charge(I, state[0]);
    return {u, Tensor(), {u}};
  }
};
ST_REGISTER(Neuron, "leaky_readout", LeakyReadout);

}  // namespace
}  // namespace spiketrain
