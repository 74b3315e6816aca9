// e-prop: a trace of each synapse, low-pass filtered as the readout filters the spikes, times the error that the readout
// sends back at the same step (equations in eligibility.h, kappa: the leak of the readout).
// With detach_reset this is BPTT in which no gradient passes recurrent spikes and the reset, and that through the
// adaptation (neuron alif) is kept.  The readout learns by rule ottt, whose trace is the same filter.  What carries the error
// is the readout's feedback: transpose (symmetric), random, or adaptive.
// Source: Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein & Maass 2020, "A solution to the learning dilemma for
// recurrent networks of spiking neurons".  Deviation: the gradient through the reset is the neuron's choice.
// Memory and time: as rtrl, and one more number per sample and synapse if kappa > 0.
// Unsupported: as rtrl.  Page: docs/methods/e-prop.md.  Tests: golden/rules, engine/eligibility.
#include "spiketrain/parts/rules/eligibility.h"

namespace spiketrain {
namespace {

struct EProp final : EligibilityRule {
  static constexpr const char* kDoc =
      "online, for recurrent layers: eligibility trace for each synapse, low-pass filtered like the readout (e-prop)";
  double kappa = 0;
  template <class V>
  void visit(V& v) {
    v(kappa, "kappa",
      "decay per step of the low-pass filter of the traces; set it to the leak of the readout", Range{0, 1});
  }
  std::string caveat(const Neuron& readout) const override {
    if (!(readout.provides() & kLeak) || readout.leak() == kappa) return {};
    return str("rule e_prop filters its traces with kappa = ", kappa, ", but the readout has the leak ",
               readout.leak(),
               ": the gradient weights earlier spikes differently than the readout; set kappa to that leak");
  }

 protected:
  double filter() const override { return kappa; }
};
ST_REGISTER(Rule, "e_prop", EProp);

}  // namespace
}  // namespace spiketrain
