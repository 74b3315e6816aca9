// F1: 2 tp / (2 tp + fp + fn), of each class or label.  macro: their mean, those that neither occur nor are predicted aside;
// micro: of tp, fp and fn added up.  sums: {tp..., fp..., fn...}.
// Tests: unit/metric_test.cpp.
#include <limits>

#include "spiketrain/parts/metrics/labels.h"

namespace spiketrain {
namespace {

struct F1 final : Metric {
  static constexpr const char* kDoc = "F1 of classes, or of labels of which a sample has any number";
  std::string average = "macro";
  double threshold = 0.5;
  template <class V>
  void visit(V& v) {
    v(average, "average", "macro: mean of the F1 of each class; micro: F1 of all decisions together",
      Choices{{"macro", "micro"}});
    v(threshold, "threshold", "of several labels: predicted are the outputs above this (rate_bce: 0.5)",
      Range{-1e9, 1e9});
  }
  std::vector<Target::Kind> targets() const override {
    return {Target::Kind::class_index, Target::Kind::values};
  }
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& /*valid*/) const override {
    const Labels l = labels(prediction, target, threshold);
    return torch::cat({(l.predicted * l.wanted).sum(0), (l.predicted * (1 - l.wanted)).sum(0),
                       ((1 - l.predicted) * l.wanted).sum(0)});
  }
  double value(const std::vector<double>& sums) const override {
    const size_t n = sums.size() / 3;
    double right = 0, all = 0, total = 0, classes = 0;
    for (size_t c = 0; c < n; ++c) {
      const double twice = 2 * sums[c], of = twice + sums[n + c] + sums[2 * n + c];
      right += twice;
      all += of;
      if (of == 0) continue;
      total += twice / of;
      ++classes;
    }
    if (classes == 0) return std::numeric_limits<double>::quiet_NaN();
    return average == "macro" ? total / classes : right / all;
  }
};
ST_REGISTER(Metric, "f1", F1);

}  // namespace
}  // namespace spiketrain
