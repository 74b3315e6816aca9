// Mean over the classes of the share of their samples that are recognised; classes without samples aside.
// sums: {right..., samples...}.  Tests: unit/metric_test.cpp.
#include <limits>

#include "spiketrain/parts/metrics/labels.h"

namespace spiketrain {
namespace {

struct BalancedAccuracy final : Metric {
  static constexpr const char* kDoc = "accuracy of each class, averaged over the classes";
  template <class V>
  void visit(V&) {}
  std::vector<Target::Kind> targets() const override { return {Target::Kind::class_index}; }
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& /*valid*/) const override {
    const Labels l = labels(prediction, target, 0);
    return torch::cat({(l.predicted * l.wanted).sum(0), l.wanted.sum(0)});
  }
  double value(const std::vector<double>& sums) const override {
    const size_t n = sums.size() / 2;
    double total = 0, classes = 0;
    for (size_t c = 0; c < n; ++c) {
      if (sums[n + c] == 0) continue;
      total += sums[c] / sums[n + c];
      ++classes;
    }
    return classes > 0 ? total / classes : std::numeric_limits<double>::quiet_NaN();
  }
};
ST_REGISTER(Metric, "balanced_accuracy", BalancedAccuracy);

}  // namespace
}  // namespace spiketrain
