// Rate cross-entropy: softmax cross-entropy of the output's mean over time, averaged over the batch.
// In segments: of the mean over each segment, weighted by its share of the steps.
// Source: the usual readout of a spiking classifier.  Deviation: none.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/parts/objectives/classes.h"

namespace spiketrain {
namespace {

struct RateCe final : ClassObjective {
  static constexpr const char* kDoc = "cross-entropy of the output's mean over time";
  double scale = 1.0;
  template <class V>
  void visit(V& v) {
    v(scale, "scale",
      "factor on the mean output before the softmax; scale = T makes it the sum over the steps",
      Range{1e-9, 1e9});
    visit_classes(v);
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor mean = out.mean(), z = scale == 1 ? mean : mean * scale;
    return out.average([&](int64_t reduction) { return weights.cross_entropy(z, target.y, reduction); });
  }
  /// The arithmetic of loss() under autograd without its graph: the same bits.
  Error error(const Output& out, const Target& target) const override {
    if (out.valid.defined() || !weights.class_weights.empty()) return Objective::error(out, target);
    const torch::NoGradGuard no_grad;
    const Tensor mean = out.mean(), z = scale == 1 ? mean : mean * scale;
    const Tensor log_p = at::_log_softmax(z, 1, /*half_to_float=*/false);
    const Tensor loss = at::nll_loss(log_p, target.y);
    // d(nll)/d(log p) is -share/B at the label.  LibTorch's own backward starts its threads however small the batch is.
    const double share = out.share(), B = static_cast<double>(z.size(0));
    const bool single = z.scalar_type() == torch::kFloat;  // as a float, divided in float
    const double step = single ? static_cast<float>(share) / static_cast<float>(B) : share / B;
    Tensor g = torch::zeros_like(z).scatter_(1, target.y.unsqueeze(1), -step);
    g = at::_log_softmax_backward_data(g, log_p, 1, log_p.scalar_type());
    if (scale != 1) g = g * scale;
    const int64_t K = out.segment.steps();
    g = g.unsqueeze(0);
    return {share == 1 ? loss : loss * share, K == 1 ? g : g.expand({K, -1, -1}) / K};
  }
};
ST_REGISTER(Objective, "rate_ce", RateCe);

}  // namespace
}  // namespace spiketrain
