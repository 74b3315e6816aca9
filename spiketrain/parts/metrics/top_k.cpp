// Share of the samples whose label is among the k greatest outputs.  sums: {right, samples}.
// Tests: unit/metric_test.cpp.
#include <limits>

#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct TopK final : Metric {
  static constexpr const char* kDoc = "share of the samples whose label is among the k largest outputs";
  int64_t k = 5;
  template <class V>
  void visit(V& v) {
    v(k, "k", "the label has to be among the k largest outputs", Range{1, 1 << 20});
  }
  std::vector<Target::Kind> targets() const override { return {Target::Kind::class_index}; }
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& /*valid*/) const override {
    ST_CHECK(k <= prediction.size(1), "metric top_k: expected k of at most the ", prediction.size(1),
             " classes, got ", k);
    const Tensor greatest = std::get<1>(prediction.topk(k, 1));
    const Tensor right = greatest.eq(target.y.unsqueeze(1)).sum().to(torch::kDouble);
    return torch::stack({right, torch::full_like(right, static_cast<double>(prediction.size(0)))});
  }
  double value(const std::vector<double>& sums) const override {
    return sums[1] > 0 ? sums[0] / sums[1] : std::numeric_limits<double>::quiet_NaN();
  }
};
ST_REGISTER(Metric, "top_k", TopK);

}  // namespace
}  // namespace spiketrain
