// Per-step cross-entropy (temporal efficient training):
//   L = (1 - mse_weight) * mean_t CE(a[t], label) + mse_weight * mean (a - mse_target)^2
//   over_steps = "sum": sum_t in place of mean_t
//   mse_one_hot: mse_target times the one-hot label for mse_target
// Source: Deng et al. 2022, "Temporal efficient training of spiking neural network via gradient re-weighting";
// mse_one_hot: the code of Xiao et al. 2022, "Online training through time for spiking neural networks".
// Deviation: none.  Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/parts/objectives/classes.h"
#include "spiketrain/parts/objectives/one_hot.h"

namespace spiketrain {
namespace {

struct TetCe final : ClassObjective {
  static constexpr const char* kDoc = "mean of the cross-entropies of all steps (TET)";
  double scale = 1.0, mse_weight = 0.0, mse_target = 1.0;
  bool mse_one_hot = false;
  std::string over_steps = "mean";
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "factor on the output before the softmax", Range{1e-9, 1e9});
    v(mse_weight, "mse_weight", "weight of the squared-error term; the cross-entropy has 1 minus this",
      Range{0, 1});
    v(mse_target, "mse_target",
      "value that the squared-error term pulls the outputs to: all, or with mse_one_hot the label's only");
    v(mse_one_hot, "mse_one_hot",
      "the squared-error term pulls the label's output to mse_target and the others to 0");
    v(over_steps, "over_steps", "the losses of the steps are averaged, or added up",
      Choices{{"mean", "sum"}});
    visit_classes(v);
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor a = out.values(), label = target.y.repeat({a.size(0)});
    return out.average([&](int64_t reduction) {
      const bool each = reduction == at::Reduction::None;
      Tensor ce = weights.cross_entropy(a.flatten(0, 1) * scale, label, reduction);
      if (each) ce = ce.view({a.size(0), a.size(1)});
      if (mse_weight == 0) return added_up(ce, out);
      const Tensor wanted = one_hot(target.y, a.size(2), a.scalar_type()) * mse_target;
      const Tensor square = (mse_one_hot ? a - wanted : a - mse_target).square();
      return added_up((1 - mse_weight) * ce + mse_weight * (each ? square.mean(2) : square.mean()), out);
    });
  }

 private:
  /// Undoes the division by the number of steps, a sample's own where they differ.
  Tensor added_up(const Tensor& loss, const Output& out) const {
    if (over_steps == "mean") return loss;
    if (loss.dim() == 0) return loss * static_cast<double>(out.scored);
    return loss * out.lengths.to(loss.scalar_type());
  }
};
ST_REGISTER(Objective, "tet_ce", TetCe);

}  // namespace
}  // namespace spiketrain
