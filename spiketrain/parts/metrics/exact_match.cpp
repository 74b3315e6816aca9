// Share of the samples all of whose labels are predicted right (subset accuracy).  sums: {right, samples}.
// Tests: unit/metric_test.cpp.
#include <limits>

#include "spiketrain/parts/metrics/labels.h"

namespace spiketrain {
namespace {

struct ExactMatch final : Metric {
  static constexpr const char* kDoc = "share of the samples all of whose labels are right";
  double threshold = 0.5;
  template <class V>
  void visit(V& v) {
    v(threshold, "threshold", "an output above this predicts its label (rate_bce: 0.5)", Range{-1e9, 1e9});
  }
  std::vector<Target::Kind> targets() const override { return {Target::Kind::values}; }
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& /*valid*/) const override {
    const Labels l = labels(prediction, target, threshold);
    const Tensor right = l.predicted.eq(l.wanted).all(1).to(torch::kDouble).sum();
    return torch::stack({right, torch::full_like(right, static_cast<double>(prediction.size(0)))});
  }
  double value(const std::vector<double>& sums) const override {
    return sums[1] > 0 ? sums[0] / sums[1] : std::numeric_limits<double>::quiet_NaN();
  }
};
ST_REGISTER(Metric, "exact_match", ExactMatch);

}  // namespace
}  // namespace spiketrain
