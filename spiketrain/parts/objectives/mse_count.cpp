// Mean squared error of the output's sum over the segment against a fraction of its steps:
//   L = mean_{b,c} (sum_t a[t] - K*rate)^2 / K, rate = correct_rate for the label, incorrect_rate for the others
// K: steps of the segment, of a padded sample its valid ones.
// Source: snnTorch's mse_count_loss.  Deviation: snnTorch rounds K*rate down to whole spikes; here it stays a
// fraction, or a segment of one step would want no spike at all.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/parts/objectives/one_hot.h"

namespace spiketrain {
namespace {

struct MseCount final : Objective {
  static constexpr const char* kDoc = "squared error of the output's sum over time";
  double correct_rate = 1.0, incorrect_rate = 0.0;
  template <class V>
  void visit(V& v) {
    v(correct_rate, "correct_rate", "target sum per step of the label's output; with POP10 up to 10",
      Range{0, 1e6});
    v(incorrect_rate, "incorrect_rate", "target sum per step of the other outputs", Range{0, 1e6});
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor sum = out.values().sum(0);
    const Tensor label = one_hot(target.y, context_.output[0], sum.scalar_type());
    const double spread = correct_rate - incorrect_rate;
    return out.average([&](int64_t reduction) {
      if (reduction == at::Reduction::Mean) {
        const auto K = static_cast<double>(out.segment.steps());
        return (sum - K * (incorrect_rate + spread * label)).square().mean() / K;
      }
      const Tensor K = out.valid.sum(0).to(sum.scalar_type());
      const Tensor D = sum - K.unsqueeze(1) * (incorrect_rate + spread * label);
      return D.square().mean(1) / K.clamp_min(1);
    });
  }
};
ST_REGISTER(Objective, "mse_count", MseCount);

}  // namespace
}  // namespace spiketrain
