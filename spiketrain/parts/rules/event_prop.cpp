// EventProp by steps: the adjoint of a current-based LIF in Euler steps, which jumps at spikes by the slope of the membrane there
// instead of passing through a surrogate.  Two public discretisations, of which neither is the exact gradient; both tend to it,
// but for sign and scale, as the step goes to zero (stage event_lif is exact).  lV, lJ: adjoints of membrane and current.
//   norse    lJ <- lJ + (lV - lJ)/tau_s;   lV <- lV (1 - 1/tau_m)
//            at a spike lV <- (lV (J' - v) + tau_m delta)/(J' - v'),   v' and J' = (1 - 1/tau_s) j before the step, v after it
//            dW = sum_t lJ[t] (x) x[t];   W^T lJ[t] goes on to the layer below
//   adjoint_pair
//            lJ <- lJ + (lV - lJ)/tau_s;   lV <- lV (1 - 1/tau_m) + s (lV + delta)/(j - threshold), both from the lV and lJ after
//            dW = sum_t (lJ + (lV - lJ)/tau_s)[t] (x) x[t];   W^T (lV - lJ)[t] goes on
//            delta and what goes on stand for -dL/d(time of the spike): what asks for more of a spike asks for an earlier one
// Source: Wunderlich & Pehle 2021, "Event-based backpropagation can compute exact gradients for spiking neural networks"; the
// forms are those of Norse's lif_adjoint and of a public implementation by spike times (lolemacs/pytorch-eventprop), whose two steps
// of delay per layer are not in the neuron here, nor its sign: it takes dL/d(time).  Deviation: min_slope.
// Memory: I, u and s for the steps of a segment.  Time: one scan forward for j, one back.
// Unsupported: neurons that are no current-based LIF with hard reset to 0; norms (adjoint_pair only).
// Page: docs/methods/event-prop.md.  Tests: golden/event_prop_steps, engine/rules.
#include "spiketrain/core/rule.h"

namespace spiketrain {
namespace {

struct EventProp final : Rule {
  static constexpr const char* kDoc =
      "EventProp in time steps, for LIF neurons with a synaptic current (cuba_lif); no surrogate";
  std::string form = "adjoint_pair";
  double min_slope = 0.1;
  template <class V>
  void visit(V& v) {
    v(form, "form",
      "discretisation of the adjoint: norse: that of Norse; adjoint_pair: a second public form (docs/methods/event-prop.md)",
      Choices{{"norse", "adjoint_pair"}});
    v(min_slope, "min_slope",
      "smallest slope of the membrane potential at a spike that the gradient divides by, relative to the threshold; 0: no limit",
      Range{0, 1});
  }
  uint32_t needs() const override { return kI | kU | kCurrentBased; }
  bool uses_vjp() const override { return false; }
  bool works_by_step() const override { return true; }
  bool q_is_input() const override { return true; }
  bool keeps_constant() const override { return norse(); }
  int64_t extra_pairs() const override { return norse() ? 0 : 1; }  // the weights' factor is not what goes on
  int64_t weight_products() const override { return 1; }
  Config neuron() const override { return {{"name", "cuba_lif"}, {"reset", "hard"}, {"decay_input", true}}; }
  std::string otherwise() const override {
    return "neuron = {name = \"cuba_lif\", reset = \"hard\", decay_input = true}";
  }

  Credit credit(const Neuron& neuron, const Record& record, const Tensor& delta,
                const State& g_after) const override {
    const SpikeTiming p = neuron.timing();
    const int64_t T = delta.size(0);
    const auto after = [&](size_t k) {
      return g_after.size() > k && g_after[k].defined() ? g_after[k] : torch::zeros_like(delta[0]);
    };
    Adjoint l{after(0), after(1)};
    const Tensor j = currents(p, record), spikes = record.spikes().dense(delta.scalar_type());
    Credit credit{torch::empty_like(delta)};
    if (!norse()) credit.post = {torch::empty_like(delta)};
    for (int64_t t = T - 1; t >= 0; --t) {
      const Tensor s = spikes[t];
      if (norse()) {
        l = back(p, l, slopes(p, record, spikes, j, t), s, delta[t]);
        credit.g[t].copy_(l.j);
      } else {
        l = back(p, l, j[t] - p.threshold + kAdded, s, delta[t]);
        credit.g[t].copy_(l.v - l.j);
        credit.post[0][t].copy_(next_current(p, l));
      }
    }
    credit.g_before = {l.j, l.v};
    if (!norse()) credit.g_bias = credit.post[0];
    return credit;
  }
  Tensor weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                         const Tensor& g) const override {
    return outer_product(synapse, norse() ? g : record.post.at(0), pre.q);
  }

 private:
  static constexpr double kAdded = 1e-10;  ///< to the divisor, as in the code
  struct Adjoint {
    Tensor j, v;
  };
  struct Slopes {
    Tensor before, after;  ///< tau_m dv/dt at a spike
  };

  bool norse() const { return form == "norse"; }

  /// j[t] = (1 - 1/tau_s) j[t-1] + I[t]
  static Tensor currents(const SpikeTiming& p, const Record& record) {
    const Tensor j = torch::empty_like(record.I);
    Tensor now = record.before[0];
    for (int64_t t = 0; t < j.size(0); ++t) {
      j[t].copy_(now * (1 - 1 / p.tau_s) + record.I[t]);
      now = j[t];
    }
    return j;
  }
  static Slopes slopes(const SpikeTiming& p, const Record& record, const Tensor& s, const Tensor& j,
                       int64_t t) {
    const auto reset = [&](int64_t at) { return record.u[at] * (1 - s[at]); };
    const Tensor current = (t > 0 ? j[t - 1] : record.before[0]) * (1 - 1 / p.tau_s);
    return {current - (t > 0 ? reset(t - 1) : record.before[1]), current - reset(t)};
  }
  /// x, or min_slope of the threshold with its sign.
  Tensor apart_from_zero(const SpikeTiming& p, const Tensor& x) const {
    const double least = min_slope * p.threshold;
    if (least == 0) return x;
    return torch::where(x < 0, x.clamp_max(-least), x.clamp_min(least));
  }
  static Tensor next_current(const SpikeTiming& p, const Adjoint& l) { return l.j + (l.v - l.j) / p.tau_s; }

  Adjoint back(const SpikeTiming& p, const Adjoint& l, const Slopes& slope, const Tensor& s,
               const Tensor& delta) const {
    const Tensor v = l.v * (1 - 1 / p.tau_m);
    const Tensor jump = (v * slope.after + delta * p.tau_m) / apart_from_zero(p, slope.before);
    return {next_current(p, l), torch::where(s > 0, jump, v)};
  }
  Adjoint back(const SpikeTiming& p, const Adjoint& l, const Tensor& divisor, const Tensor& s,
               const Tensor& delta) const {
    const Tensor v = l.v * (1 - 1 / p.tau_m);
    return {next_current(p, l), torch::where(s > 0, v + (l.v + delta) / apart_from_zero(p, divisor), v)};
  }
};
ST_REGISTER(Rule, "event_prop", EventProp);

}  // namespace
}  // namespace spiketrain
