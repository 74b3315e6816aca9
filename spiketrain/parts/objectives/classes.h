// What the cross-entropies of this folder share: weights of the classes, and how a class is decided.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/core/objective.h"

namespace spiketrain {

/// Weights of the samples of each class.  The loss stays a sum over samples divided by their number, so that a sample counts the same
/// in any batch; torch.nn.CrossEntropyLoss divides by the sum of the batch's weights instead.
struct ClassWeights {
  std::vector<double> class_weights;
  bool balanced = false;

  template <class V>
  void visit(V& v) {
    v(class_weights, "class_weights", "weight of the samples of each class in the loss; []: all 1");
    v(balanced, "balanced",
      "class_weights from the training split: samples / (classes * samples of the class), so that all classes count the "
      "same");
  }
  /// UsageError unless there is none, or one that is finite and not negative for each of `classes`.
  void check(int64_t classes, const std::string& owner) const {
    ST_CHECK(!balanced || !class_weights.empty(), "objective ", owner,
             ": balanced: the weights come from the training split of a recipe; here give class_weights");
    if (class_weights.empty()) return;
    ST_CHECK(static_cast<int64_t>(class_weights.size()) == classes, "objective ", owner,
             ": expected a class_weight for each of ", classes, " classes, got ", class_weights.size());
    for (const double w : class_weights)
      ST_CHECK(w >= 0 && w <= 1e9, "objective ", owner, ": expected class_weights in [0, 1e+09], got ", w);
  }
  /// Cross-entropy of z [N,classes], a mean or, with at::Reduction::None, one value for each of N.
  Tensor cross_entropy(const Tensor& z, const Tensor& label, int64_t reduction) const {
    if (class_weights.empty()) return torch::cross_entropy_loss(z, label, {}, reduction);
    const Tensor weights =
        torch::tensor(class_weights, z.options().requires_grad(false)).index_select(0, label);
    const Tensor each = torch::cross_entropy_loss(z, label, {}, at::Reduction::None) * weights;
    return reduction == at::Reduction::Mean ? each.mean() : each;
  }
};

/// The class is that of the greatest evidence.
struct Decision {
  std::string decision = "sum";
  double count_above = 1.0;
  bool spikes = false;  ///< the output is 0 or 1: the sum is the count

  template <class V>
  void visit(V& v) {
    v(decision, "decision",
      "which class is predicted: the greatest sum of the output over the steps (of spikes their number), or the most steps "
      "at which it is above count_above (the spikes of a membrane_readout)",
      Choices{{"sum", "count"}});
    v(count_above, "count_above", "for decision = \"count\"", Range{-1e9, 1e9});
  }
  Tensor evidence(const Output& out) const {
    if (decision == "sum" || spikes) return out.values().sum(0);
    const Tensor a = out.signal.values();
    Tensor above = a > count_above;
    if (out.valid.defined()) above = above & out.valid.unsqueeze(2);
    return above.to(a.scalar_type()).sum(0);
  }
};

/// An objective with both.
struct ClassObjective : Objective {
  ClassWeights weights;
  Decision read;

  template <class V>
  void visit_classes(V& v) {
    weights.visit(v);
    read.visit(v);
  }
  void prepare(const Context& context) override {
    Objective::prepare(context);
    weights.check(context.output[0], part_name());
    read.spikes = context.emission.bare() && context.emission.levels == 1;
  }
  Tensor evidence(const Output& out) const override { return read.evidence(out); }
};

}  // namespace spiketrain
