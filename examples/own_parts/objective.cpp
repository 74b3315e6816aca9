// An objective: squared hinge on the rates, whose label must lead every other output by `margin` spikes per step.
#include "spiketrain/core/objective.h"

namespace {

using namespace spiketrain;

struct MyMargin final : Objective {
  static constexpr const char* kDoc = "squared hinge on the lead of the label's rate";
  double margin = 0.5;
  template <class V>
  void visit(V& v) {
    v(margin, "margin", "wanted lead in spikes per step", Range{0, 1});
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor rates = out.mean();  // [B,classes]
    const Tensor lead = rates.gather(1, target.y.unsqueeze(1)) - rates;
    const Tensor others = 1 - torch::one_hot(target.y, context_.output[0]).to(rates.scalar_type());
    const Tensor each = (torch::relu(margin - lead).square() * others).sum(1);
    return out.average(
        [&](int64_t reduction) { return reduction == at::Reduction::Mean ? each.mean() : each; });
  }
};
ST_REGISTER(Objective, "my_margin", MyMargin);

}  // namespace
