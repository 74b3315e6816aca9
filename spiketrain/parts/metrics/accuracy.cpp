// Share of the samples whose greatest output is the label's.  sums: {right, samples}.
// Tests: unit/metric_test.cpp.
#include <limits>

#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct Accuracy final : Metric {
  static constexpr const char* kDoc = "share of the samples whose largest output is the label's";
  template <class V>
  void visit(V&) {}
  std::vector<Target::Kind> targets() const override { return {Target::Kind::class_index}; }
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& /*valid*/) const override {
    const Tensor right = prediction.argmax(1).eq(target.y).sum().to(torch::kDouble);
    return torch::stack({right, torch::full_like(right, static_cast<double>(prediction.size(0)))});
  }
  double value(const std::vector<double>& sums) const override {
    return sums[1] > 0 ? sums[0] / sums[1] : std::numeric_limits<double>::quiet_NaN();
  }
};
ST_REGISTER(Metric, "accuracy", Accuracy);

}  // namespace
}  // namespace spiketrain
