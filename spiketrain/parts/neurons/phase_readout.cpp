// Readout of phase-coded spikes, without spikes of its own: a[t] = K * p_i * I[t] in phase i, p_i = 2^-(1+i), K phases a period.  The mean
// of a over a period is the sum of p_i*I[t]: the value of what the synapse makes of the digits.
// A bias of the synapse counts 1 - 2^-K times.  Source: phase coding as in phase_if.cpp.  Deviation: none.
// State: {phase}.  Tests: unit/phase_test.cpp, grad/neuron, property/neuron.
#include "spiketrain/parts/neurons/phases.h"

namespace spiketrain {
namespace {

struct PhaseReadout final : Stepped {
  static constexpr const char* kDoc =
      "readout for phase coding: its mean over a period is the value that was sent";
  Phases phases;
  template <class V>
  void visit(V& v) {
    phases.visit(v);
  }
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros({}, options).expand(shape)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor a = I * (phases.weights(state[0]) * static_cast<double>(phases.bits));
    return {a, Tensor(), {phases.next(state[0])}, a};
  }
};
ST_REGISTER(Neuron, "phase_readout", PhaseReadout);

}  // namespace
}  // namespace spiketrain
