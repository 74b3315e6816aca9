// Per-step cross-entropy (temporal efficient training):
//   L = (1 - mse_weight) * mean_t CE(a[t], label) + mse_weight * mean (a - mse_target)^2
// Source: Deng et al. 2022, "Temporal efficient training of spiking neural network via gradient
// re-weighting".
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct TetCe final : Objective {
  static constexpr const char* kDoc = "mean of the cross-entropies of all steps (TET)";
  double scale = 1.0, mse_weight = 0.0, mse_target = 1.0;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "factor on the output before the softmax", Range{1e-9, 1e9});
    v(mse_weight, "mse_weight", "share of the squared-error regulariser", Range{0, 1});
    v(mse_target, "mse_target", "value the regulariser pulls every output to");
  }
  Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const override {
    const Tensor ce =
        torch::cross_entropy_loss(a.flatten(0, 1) * scale, label.repeat({window.t1 - window.t0}));
    if (mse_weight == 0) return share(ce, window);
    return share((1 - mse_weight) * ce + mse_weight * (a - mse_target).square().mean(), window);
  }
};
ST_REGISTER(Objective, "tet_ce", TetCe);

}  // namespace
}  // namespace spiketrain
