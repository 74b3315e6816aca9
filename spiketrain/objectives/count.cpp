// Count loss: the label's output should reach a count, the others should stay below one; only a shortfall of
// the label and an excess of the others count.
//   c = sum_t a[t];  D = (c - target)/T, set to 0 where it has the harmless sign;  L = T/2 sum D^2, so
//   dL/da[t] = D
// Source: Zhang & Li 2020, the authors' code.  Deviation: in a window of K steps the targets are scaled by
// K/T.
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct Count final : Objective {
  static constexpr const char* kDoc = "one-sided squared error of the output's sum over time";
  double desired = 15, undesired = 3;
  template <class V>
  void visit(V& v) {
    v(desired, "desired", "least sum over T steps for the label's output", Range{0, 1e9});
    v(undesired, "undesired", "greatest sum over T steps for the other outputs", Range{0, 1e9});
  }
  Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const override {
    const double T = static_cast<double>(context_.steps), K = static_cast<double>(window.t1 - window.t0);
    const Tensor is_label = torch::one_hot(label, context_.classes).to(torch::kBool);
    const Tensor target = torch::where(is_label, torch::full({}, desired, a.options().requires_grad(false)),
                                       torch::full({}, undesired, a.options().requires_grad(false))) *
                          (K / T);
    const Tensor D = (a.sum(0) - target) / T;
    const Tensor counts = torch::where(is_label, D<0, D> 0);
    return 0.5 * T * (D * counts).square().sum();
  }
};
ST_REGISTER(Objective, "count", Count);

}  // namespace
}  // namespace spiketrain
