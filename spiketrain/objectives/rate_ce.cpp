// Rate cross-entropy: softmax cross-entropy of the output's mean over time, averaged over the batch.
// In windows: of the mean over each window, weighted by its share of the steps.
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
  Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const override {
    return share(torch::cross_entropy_loss(a.mean(0) * scale, label), window);
  }
};
ST_REGISTER(Objective, "rate_ce", RateCe);

}  // namespace
}  // namespace spiketrain
