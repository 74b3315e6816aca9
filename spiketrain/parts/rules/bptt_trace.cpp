// Truncated backpropagation with a trace over the cuts: exact gradient inside a segment, and, for what a membrane still
// holds of the segments before, the presynaptic trace at the border.
//   g[t] = exact adjoint of the neuron inside the segment;   xhat[t] = lambda*xhat[t-1] + x[t]
//   dW = sum_t g[t] (x) x[t]  +  lambda * g[t0] (x) xhat[t0-1],   t0 = first step of the segment
// A path from an input to a loss crosses the borders between segments; the last of them is where the trace stands for its
// beginning and g[t0] for its end, so that each path counts once.  lambda is the neuron's leak.  For one layer whose reset
// is detached (detach_reset) this is BPTT, whatever the segments; below other spiking layers error signal of the layers above
// still ends at the cuts.
// Source: the trace of Xiao et al. 2022 (OTTT) on cut edges only; the combination is ours.  Deviation: none.
// Memory: what the neuron's vjp reads for the steps of a segment, and one trace per synapse.
// Unsupported: recurrent connections and schedule checkpointed, where the gradient crosses what the trace would stand for.
// Tests: engine/online_rules.
#include "spiketrain/core/rule.h"
#include "spiketrain/parts/rules/leaky_sum.h"

namespace spiketrain {
namespace {

struct BpttTrace final : Rule {
  static constexpr const char* kDoc =
      "truncated BPTT, with a trace of the inputs that carries part of the gradient over the borders of windows";
  template <class V>
  void visit(V&) {}
  uint32_t needs() const override { return kLeak; }
  bool works_by_step() const override { return false; }

  /// extra: the trace before the segment, as one step.
  void trace(const Record& record, Presynaptic& pre) const override {
    pre.q = pre.x;
    const bool first = pre.trace.empty();
    const State before = pre.trace;
    leaky_sum(pre.x, record.neuron->leak(), pre.trace);
    if (first) return;
    const Tensor& y = before[0];
    pre.extra = {pre.x.is_constant() ? Signal::constant(pre.x.image(), y.view({1}).to(pre.x.gain().options()))
                                     : Signal::dense(y.unsqueeze(0))};
  }
  Tensor weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                         const Tensor& g) const override {
    Tensor g_W = outer_product(synapse, g, pre.q);
    for (const Signal& before : pre.extra)
      g_W.add_(outer_product(synapse, g.slice(0, 0, 1), before), record.neuron->leak());
    return g_W;
  }
};
ST_REGISTER(Rule, "bptt_trace", BpttTrace);

}  // namespace
}  // namespace spiketrain
