// Mean squared error over all samples (or steps) and outputs.  sums: {squares, number of values}.
// Tests: unit/metric_test.cpp.
#include <limits>

#include "spiketrain/parts/metrics/vectors.h"

namespace spiketrain {
namespace {

struct MseMetric final : Metric {
  static constexpr const char* kDoc = "mean squared error of the predicted values";
  template <class V>
  void visit(V&) {}
  std::vector<Target::Kind> targets() const override {
    return {Target::Kind::values, Target::Kind::sequence};
  }
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& valid) const override {
    const Vectors v = vectors(prediction, target, valid);
    const Tensor squares = (v.predicted - v.wanted).square().sum();
    return torch::stack({squares, torch::full_like(squares, static_cast<double>(v.wanted.numel()))});
  }
  double value(const std::vector<double>& sums) const override {
    return sums[1] > 0 ? sums[0] / sums[1] : std::numeric_limits<double>::quiet_NaN();
  }
  bool greater_is_better() const override { return false; }
};
ST_REGISTER(Metric, "mse", MseMetric);

}  // namespace
}  // namespace spiketrain
