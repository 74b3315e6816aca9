// Rate cross-entropy: softmax cross-entropy of the output's mean over time, averaged over the batch.
// In segments: of the mean over each segment, weighted by its share of the steps.
// Source: the usual readout of a spiking classifier.  Deviation: none.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct RateCe final : Objective {
  static constexpr const char* kDoc = "cross-entropy of the output's mean over time";
  double scale = 1.0;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "factor on the mean before the softmax", Range{1e-9, 1e9});
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor mean = out.mean(), z = scale == 1 ? mean : mean * scale;
    return out.average(
        [&](int64_t reduction) { return torch::cross_entropy_loss(z, target.y, {}, reduction); });
  }
};
ST_REGISTER(Objective, "rate_ce", RateCe);

}  // namespace
}  // namespace spiketrain
