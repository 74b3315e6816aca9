// Mean squared error of the output's sum over the window against a fraction of its steps:
//   L = mean_{b,c} (sum_t a[t] - K*rate)^2 / K, rate = correct_rate for the label, incorrect_rate for the
//   others
// Source: snnTorch's mse_count_loss.  Deviation: snnTorch rounds K*rate down to whole spikes; here it stays a
// fraction, or a window of one step would want no spike at all.
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct MseCount final : Objective {
  static constexpr const char* kDoc = "squared error of the output's sum over time";
  double correct_rate = 1.0, incorrect_rate = 0.0;
  template <class V>
  void visit(V& v) {
    v(correct_rate, "correct_rate", "wanted spikes per step of the label's output", Range{0, 1});
    v(incorrect_rate, "incorrect_rate", "wanted spikes per step of the other outputs", Range{0, 1});
  }
  Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const override {
    const double K = static_cast<double>(window.t1 - window.t0);
    const Tensor one_hot = torch::one_hot(label, context_.classes).to(a.scalar_type());
    const Tensor wanted = K * (incorrect_rate + (correct_rate - incorrect_rate) * one_hot);
    return share((a.sum(0) - wanted).square().mean() / K, window);
  }
};
ST_REGISTER(Objective, "mse_count", MseCount);

}  // namespace
}  // namespace spiketrain
