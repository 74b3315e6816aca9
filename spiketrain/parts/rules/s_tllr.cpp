// STDP-inspired temporal local learning: two eligibilities per synapse, one causal, one not, times the spatial error signal.
//   dW = sum_t delta[t] * ( alpha_pre * psi[t] (x) xhat[t]  +  alpha_post * q[t] (x) x[t] )
//   xhat[t] = lambda_pre*xhat[t-1] + x[t]
//   q[t] = sum_{t'<t} lambda_post^(t-t') psi[t']      paper;   released code: lambda_post^(t-1-t')
//   g[t] = psi[t] * delta[t] goes on to the bias and to the layer below; neither alpha enters there
// The non-causal term has delta, not g: the psi of the present step is not in it.
// Source: Apolinario & Roy 2025, "S-TLLR: STDP-inspired temporal local learning rule for spiking neural networks", and
// the authors' code (mapolinario94/S-TLLR).  Learning at the last steps only is schedule last_steps.  Deviation: none.
// With alpha_post = 0, alpha_pre = 1 and lambda_pre = the neuron's leak this is OTTT.
// Memory: psi, xhat and q for the steps of a segment; xhat (as the input) and q (as the layer) carried on.
// Unsupported: norms while alpha_post is not 0 (q does not pass them); neurons that learn parameters of their own.
// Page: docs/methods/s-tllr.md.  Tests: golden/rules, engine/online_rules.
#include "spiketrain/core/rule.h"
#include "spiketrain/parts/rules/leaky_sum.h"

namespace spiketrain {
namespace {

struct STllr final : Rule {
  static constexpr const char* kDoc = "causal and non-causal eligibility traces (S-TLLR)";
  double alpha_pre = 1, alpha_post = -1, lambda_pre = 0.75, lambda_post = 0.2;
  std::string post_trace = "paper";
  template <class V>
  void visit(V& v) {
    v(alpha_pre, "alpha_pre", "weight of the causal term (inputs before the neuron is near its threshold)",
      Range{-1e3, 1e3});
    v(alpha_post, "alpha_post", "weight of the non-causal term (inputs after that); 0: none",
      Range{-1e3, 1e3});
    v(lambda_pre, "lambda_pre", "decay per step of the trace of the input", Range{0, 1});
    v(lambda_post, "lambda_post", "decay per step of the neuron's trace, a trace of its surrogate derivative",
      Range{0, 1});
    v(post_trace, "post_trace",
      "the surrogate derivative of the previous step enters the non-causal term times lambda_post (paper), or undecayed (released_code)",
      Choices{{"paper", "released_code"}});
  }
  uint32_t needs() const override { return kPsi; }
  bool uses_vjp() const override { return false; }
  bool works_by_step() const override { return true; }
  bool local_in_time() const override { return true; }
  bool keeps_constant() const override { return true; }
  int64_t extra_pairs() const override { return alpha_post == 0 ? 0 : 1; }

  /// Leaves q for the segment.
  void trace_post(Record& record) const override {
    if (alpha_post == 0) return;
    const Tensor& psi = record.psi;
    const Tensor before = record.trace.empty() ? torch::zeros_like(psi[0]) : record.trace[0];
    Tensor carried = record.trace.empty() ? Tensor() : before;
    const Tensor sums = leaky_sum(psi, lambda_post, carried);
    record.trace = {carried};
    const int64_t T = psi.size(0);
    record.post = {T == 1 ? before.unsqueeze(0) : torch::cat({before.unsqueeze(0), sums.slice(0, 0, T - 1)})};
  }
  void trace(const Record&, Presynaptic& pre) const override {
    pre.q = leaky_sum(pre.x, lambda_pre, pre.trace);
    if (alpha_pre != 1) pre.q = pre.q.scaled(alpha_pre);
    if (alpha_post != 0) pre.extra = {pre.x};
  }
  Credit credit(const Neuron&, const Record& record, const Tensor& delta, const State&) const override {
    Credit credit{record.psi * delta};
    if (alpha_post == 0) return credit;
    const double factor = post_trace == "paper" ? alpha_post * lambda_post : alpha_post;
    credit.post = {(record.post.at(0) * delta).mul_(factor)};
    return credit;
  }
};
ST_REGISTER(Rule, "s_tllr", STllr);

}  // namespace
}  // namespace spiketrain
