// Leaky integrator of a synaptic current, without spikes: leaky_readout whose input is low-pass filtered first.
//   i[t] = leak_syn*i[t-1] + gain_syn*I[t];   then leaky_readout with i[t] as its current, or i[t-1] if order is "old"
// Source: the non-firing cuba_lif; NIR's CubaLI.  Deviation: none.  State: {i, u}.  Tests: grad/neuron, property/neuron,
// golden/nir_test.cpp.
#include <utility>

#include "spiketrain/parts/neurons/cuba_core.h"

namespace spiketrain {
namespace {

struct CubaReadout final : Stepped {
  static constexpr const char* kDoc =
      "leaky integrator of a synaptic current; its output is the membrane potential";
  CubaCore synapse;
  LifCore core;
  CubaReadout() { core.fires = false; }
  template <class V>
  void visit(V& v) {
    synapse.visit(v);
    core.visit_membrane(v);
    core.visit_per(v);
  }
  void check() override { core.check(); }
  void build(const Shape& shape) override {
    synapse.build(*this, core, shape);
    core.build(*this, shape);
  }
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros(shape, options), core.initial(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor i = synapse.filter(I, state[0]);
    const Tensor u = core.charge(synapse.seen(i, state[0]), state[1]);
    return {u, Tensor(), {i, u}, u};
  }
};
ST_REGISTER(Neuron, "cuba_readout", CubaReadout);

}  // namespace
}  // namespace spiketrain
