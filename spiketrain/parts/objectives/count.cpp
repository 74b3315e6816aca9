// Count loss: the label's output should reach a count, the others should stay below one; only a shortfall of the
// label and an excess of the others count.
//   c = sum_t a[t];  D = (c - target)/T, set to 0 where it has the harmless sign;  L = T/2 sum D^2, so dL/da[t] = D
// T: steps of the sequence, of a padded sample its own.
// Source: Zhang & Li 2020, the authors' code.  Deviation: in a segment of K steps the targets are scaled by K/T.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/parts/objectives/one_hot.h"

namespace spiketrain {
namespace {

struct Count final : Objective {
  static constexpr const char* kDoc =
      "squared error of spike counts that miss their bound: the label's should be at least `desired`, the others' at most `undesired`";
  double desired = 15, undesired = 3;
  template <class V>
  void visit(V& v) {
    v(desired, "desired", "minimum sum over T steps for the label's output", Range{0, 1e9});
    v(undesired, "undesired", "maximum sum over T steps for the other outputs", Range{0, 1e9});
  }
  bool sums_over_samples() const override { return true; }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor c = out.values().sum(0);
    const auto options = c.options().requires_grad(false);
    const Tensor is_label = one_hot(target.y, context_.output[0], torch::kBool);
    const Tensor wanted =
        torch::where(is_label, torch::full({}, desired, options), torch::full({}, undesired, options));
    if (!out.valid.defined()) {
      const auto T = static_cast<double>(context_.steps), K = static_cast<double>(out.segment.steps());
      return 0.5 * T * harm((c - wanted * (K / T)) / T, is_label).square().sum();
    }
    const Tensor T = out.all_lengths.to(c.scalar_type()).unsqueeze(1);
    const Tensor K = out.valid.sum(0).to(c.scalar_type()).unsqueeze(1);
    return 0.5 * (T * harm((c - wanted * (K / T)) / T, is_label).square()).sum();
  }

 private:
  /// D where it harms: below zero for the label, above zero for the others.
  static Tensor harm(const Tensor& D, const Tensor& is_label) {
    return D * torch::where(is_label, D.lt(0), D.gt(0));
  }
};
ST_REGISTER(Objective, "count", Count);

}  // namespace
}  // namespace spiketrain
