// Spatial learning through time: no backpropagation in time, errors go from layer to layer at the same step.
//   g[t] = psi[t] * delta[t];   q[t] = x[t]
// Source: Meng et al. 2023, "Towards memory- and time-efficient backpropagation for training spiking neural networks",
// and the authors' code (qymeng94/SLTT).  SLTT-K is this rule with schedule random_steps.  Deviation: none; at leak 0 or
// T = 1, with the reset detached, it is exact.
// Memory: psi for the steps of a segment; in windows of one step nothing is kept over time.  Time: one forward scan.
// Unsupported: neurons that learn parameters of their own.  Page: docs/methods/sltt.md.
// Tests: golden/rules, engine/online_rules.
#include "spiketrain/core/rule.h"

namespace spiketrain {
namespace {

struct Sltt final : Rule {
  static constexpr const char* kDoc = "spatial gradient only, no backpropagation in time (SLTT)";
  template <class V>
  void visit(V&) {}
  uint32_t needs() const override { return kPsi; }
  bool uses_vjp() const override { return false; }
  bool works_by_step() const override { return true; }
  bool local_in_time() const override { return true; }
  bool q_is_input() const override { return true; }
  Credit credit(const Neuron&, const Record& record, const Tensor& delta, const State&) const override {
    return {record.psi * delta};
  }
};
ST_REGISTER(Rule, "sltt", Sltt);

}  // namespace
}  // namespace spiketrain
