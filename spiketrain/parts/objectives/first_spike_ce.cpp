// Cross-entropy of first spike times: the label's output should spike first, and soon.
//   L = mean over samples of  CE(-t/(xi*tau_s), label) + alpha*(exp(t_label/(beta*tau_s)) - 1)
// t: the output's mean over time, which is the time itself behind the readout first_spike.
// Source: Wunderlich & Pehle 2021; values of xi, alpha and beta as in public code.  Deviation: none.
// Tests: unit/objective_value_test.cpp, golden/event_prop_test.cpp.
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct FirstSpikeCe final : Objective {
  static constexpr const char* kDoc = "cross-entropy of first spike times, for the readout first_spike";
  double xi = 0.4, alpha = 0.01, beta = 2, tau_s = 5;
  template <class V>
  void visit(V& v) {
    v(xi, "xi", "times are divided by xi*tau_s before the softmax", Range{1e-9, 1e9});
    v(alpha, "alpha", "weight of the term that makes the label's output spike early", Range{0, 1e9});
    v(beta, "beta", "the term of alpha is exp(t/(beta*tau_s)) - 1", Range{1e-9, 1e9});
    v(tau_s, "tau_s", "time constant of the synaptic current in steps, the unit of xi and beta",
      Range{1e-9, 1e9});
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor t = out.mean();
    return out.average([&](int64_t reduction) {
      const Tensor ce = torch::cross_entropy_loss(t * (-1 / (xi * tau_s)), target.y, {}, reduction);
      if (alpha == 0) return ce;
      const Tensor of_label = t.gather(1, target.y.unsqueeze(1)).squeeze(1);
      const Tensor late = torch::expm1(of_label / (beta * tau_s));
      return ce + alpha * (reduction == at::Reduction::Mean ? late.mean() : late);
    });
  }
  /// The earliest is the greatest.
  Tensor evidence(const Output& out) const override { return -out.values().sum(0); }
};
ST_REGISTER(Objective, "first_spike_ce", FirstSpikeCe);

}  // namespace
}  // namespace spiketrain
