// Coefficient of determination of all outputs together:
//   R2 = 1 - sum (prediction - y)^2 / sum (y - mean y)^2, the mean of each output taken by itself
// sums: {samples or steps, residual squares, squares of y, sum of y for each output}.
// Source: the usual definition, outputs weighted by their variance.  Tests: unit/metric_test.cpp.
#include <limits>

#include "spiketrain/parts/metrics/vectors.h"

namespace spiketrain {
namespace {

struct R2 final : Metric {
  static constexpr const char* kDoc =
      "share of the variance of the target values that the prediction explains";
  template <class V>
  void visit(V&) {}
  std::vector<Target::Kind> targets() const override {
    return {Target::Kind::values, Target::Kind::sequence};
  }
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& valid) const override {
    const Vectors v = vectors(prediction, target, valid);
    const Tensor residual = (v.predicted - v.wanted).square().sum();
    const Tensor n = torch::full_like(residual, static_cast<double>(v.wanted.size(0)));
    return torch::cat({torch::stack({n, residual, v.wanted.square().sum()}), v.wanted.sum(0)});
  }
  double value(const std::vector<double>& sums) const override {
    double total = sums[2];
    for (size_t i = 3; i < sums.size(); ++i) total -= sums[i] * sums[i] / sums[0];
    const bool defined = sums[0] > 0 && total > 0;
    return defined ? 1 - sums[1] / total : std::numeric_limits<double>::quiet_NaN();
  }
};
ST_REGISTER(Metric, "r2", R2);

}  // namespace
}  // namespace spiketrain
