// Binary cross-entropy of each output's mean over time, for samples that have any number of labels:
//   p = sigmoid(scale * (mean_t a[t] - center)),  L = mean over batch and outputs of -(w y log p + (1 - y) log(1 - p))
// y in [0,1]: 1 for the labels that a sample has; w: pos_weight of the output.  The prediction is p.
// Source: torch.nn.BCEWithLogitsLoss on the usual readout.  Deviation: none.
// Tests: unit/objective_class_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct RateBce final : Objective {
  static constexpr const char* kDoc = "binary cross-entropy of the output's mean over time (several labels)";
  double scale = 1, center = 0;
  std::vector<double> pos_weight;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "factor before the sigmoid", Range{1e-9, 1e9});
    v(center, "center",
      "mean output that means a probability of 1/2: 0 for a membrane, 0.5 or less for firing rates",
      Range{-1e9, 1e9});
    v(pos_weight, "pos_weight",
      "for each label: weight of the samples that have it, against those that do not; []: all 1");
  }
  std::vector<Target::Kind> targets() const override { return {Target::Kind::values}; }
  void prepare(const Context& context) override {
    Objective::prepare(context);
    ST_CHECK(pos_weight.empty() || static_cast<int64_t>(pos_weight.size()) == context.output.at(0),
             "objective rate_bce: expected a pos_weight for each of ", context.output.at(0), " outputs, got ",
             pos_weight.size());
    for (const double w : pos_weight)
      ST_CHECK(w >= 0 && w <= 1e9, "objective rate_bce: expected pos_weight in [0, 1e+09], got ", w);
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor z = (out.mean() - center) * scale, y = target.y.to(z.scalar_type());
    Tensor w;
    if (!pos_weight.empty()) w = torch::tensor(pos_weight, z.options().requires_grad(false));
    return out.average([&](int64_t reduction) {
      const Tensor each = torch::binary_cross_entropy_with_logits(z, y, {}, w, at::Reduction::None);
      return reduction == at::Reduction::Mean ? each.mean() : each.flatten(1).mean(1);
    });
  }
  Tensor prediction(const Tensor& evidence, const Tensor& lengths) const override {
    return torch::sigmoid((Objective::prediction(evidence, lengths) - center) * scale);
  }
};
ST_REGISTER(Objective, "rate_bce", RateBce);

}  // namespace
}  // namespace spiketrain
