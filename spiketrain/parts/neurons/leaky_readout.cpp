// Leaky integrator without spikes, for outputs: a[t] = u[t] = leak*u[t-1] + gain*I[t] + (1-leak)*v_rest, with
// decay_input as in lif_core.h.  leak = 1 sums the input.  State: {u}.
// Source: the non-firing membrane of lif_core.h.  Deviation: none.  Tests: grad/neuron, property/neuron.
#include <utility>

#include "spiketrain/parts/neurons/lif_core.h"

namespace spiketrain {
namespace {

struct LeakyReadout final : Stepped {
  static constexpr const char* kDoc =
      "leaky integrator that does not spike; its output is the membrane potential";
  LifCore core;
  LeakyReadout() { core.fires = false; }
  template <class V>
  void visit(V& v) {
    core.visit_membrane(v);
    core.visit_per(v);
  }
  void check() override { core.check(); }
  void build(const Shape& shape) override { core.build(*this, shape); }
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return core.provides(); }
  double leak() const override { return core.leak_now(); }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {core.initial(shape, options)};
  }
  /// psi is the gain, so that no step has to be differentiated for it.
  void run(Record& record, Steps steps) const override {
    const Tensor psi = std::exchange(record.psi, Tensor());
    Stepped::run(record, steps);
    record.psi = psi;
    if (psi.defined()) at_steps(psi, steps).copy_(core.gain_now());
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = core.charge(I, state[0]);
    return {u, Tensor(), {u}, u};
  }
};
ST_REGISTER(Neuron, "leaky_readout", LeakyReadout);

}  // namespace
}  // namespace spiketrain
