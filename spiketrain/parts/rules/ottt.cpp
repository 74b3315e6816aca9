// Online training through time: error signal of the same step, times a trace of what the synapse read.
//   g[t] = psi[t] * delta[t];   q[t] = lambda*q[t-1] + x[t];   the bias gets sum_t g[t], without a trace
// lambda is the neuron's leak, which makes the rule exact for one layer without gradient through the reset; or any number.
// Source: Xiao et al. 2022, "Online training through time for spiking neural networks", and the authors' code
// (pkuxmq/OTTT-SNN).  Deviation: there every layer has one leak, the readout's trace included; here the leak of the neuron
// that the synapse drives.  A synapse without trace, such as the first of the authors' networks, learns by rule sltt.
// Memory: psi and q for the steps of a segment, q of the last one carried on.  Time: one forward scan, one trace.
// Unsupported: neurons whose leak a spike changes (hard reset) unless trace_leak is given, neurons that learn parameters
// of their own.  Page: docs/methods/ottt.md.  Tests: golden/rules, engine/online_rules.
#include "spiketrain/core/rule.h"
#include "spiketrain/parts/rules/leaky_sum.h"

namespace spiketrain {
namespace {

struct Ottt final : Rule {
  static constexpr const char* kDoc =
      "online: error signal of the same step times a trace of the inputs (OTTT)";
  double trace_leak = kLeakOfNeuron;
  template <class V>
  void visit(V& v) {
    v(trace_leak, "trace_leak", "decay of the presynaptic trace per step; -1: the neuron's leak",
      Range{-1, 1});
  }
  void check() override { check_trace_leak("ottt", trace_leak); }
  uint32_t needs() const override { return kPsi | (of_neuron() ? kLeak : 0U); }
  bool uses_vjp() const override { return false; }
  bool works_by_step() const override { return true; }
  bool local_in_time() const override { return true; }
  bool keeps_constant() const override { return true; }
  std::string otherwise() const override { return kGiveTraceLeak; }

  void trace(const Record& record, Presynaptic& pre) const override {
    pre.q = leaky_sum(pre.x, of_neuron() ? record.neuron->leak() : trace_leak, pre.trace);
  }
  Credit credit(const Neuron&, const Record& record, const Tensor& delta, const State&) const override {
    return {record.psi * delta};
  }

 private:
  bool of_neuron() const { return trace_leak == kLeakOfNeuron; }
};
ST_REGISTER(Rule, "ottt", Ottt);

}  // namespace
}  // namespace spiketrain
