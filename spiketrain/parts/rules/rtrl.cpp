// Diagonal real-time recurrent learning: the exact gradient of a neuron's own dynamics, carried forward in a trace of each
// synapse, times the error signal of the same step (equations in eligibility.h).  For one layer without recurrent
// connections this is BPTT, whatever the neuron, its reset and the gradient through it; below other spiking layers, and
// through recurrent connections, the gradient of later steps is left out.
// Source: Williams & Zipser 1989, "A learning algorithm for continually running fully recurrent neural networks", without
// the paths from neuron to neuron.  With local spiking heads and an update at every step this is FELL (Ma et al. 2022).
// Deviation: none.
// Memory: for each sample and synapse one number per state of the neuron, at most; nothing grows with T.  Time: as many
// multiply-accumulates per sample and step as the synapse has weights, per entry of the neuron's Jacobian.
// Unsupported: norms, neurons that learn parameters of their own, synapses without patches().
// Page: docs/methods/rtrl.md.  Tests: golden/rules, engine/eligibility.
#include "spiketrain/parts/rules/eligibility.h"

namespace spiketrain {
namespace {

struct Rtrl final : EligibilityRule {
  static constexpr const char* kDoc =
      "online: an exact eligibility trace for each synapse; no gradient from neuron to neuron in time (diagonal RTRL)";
  template <class V>
  void visit(V&) {}
};
ST_REGISTER(Rule, "rtrl", Rtrl);

}  // namespace
}  // namespace spiketrain
