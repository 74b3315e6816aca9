// Direct random target projection: each block learns from the target alone, so that it need not wait for the output,
//   dL/d(output of block b)[t] := -y B_b / (K N)   at each of the K steps of a segment, for N samples
// divide_by = "one" leaves out N.
// y: the one-hot target, or the wanted values.  B_b as in signals/projections.h.  This is the gradient of
//   L_b = -mean over steps and samples of <y, B_b a[t]>
// for the block's output a: descending it turns the block's activity towards the row of its class, and dividing by K N
// gives it the size of the error of a mean loss.
// Source: Frenkel, Lefebvre and Bol 2021, "Learning without feedback: fixed random learning signals allow for
// feedforward training of deep neural networks".
// Deviation: the paper's sign belongs to its output convention; with matrices drawn symmetrically both signs are the
// same rule.  The division by K N is ours.
// Page: docs/methods/direct-feedback.md.  Tests: unit/learning_signal_test.cpp, engine/signals_test.cpp, golden/rules.
#include "spiketrain/parts/signals/projections.h"

namespace spiketrain {
namespace {

struct TargetProjection final : LearningSignal {
  static constexpr const char* kDoc = "the target times a fixed random matrix for each block (DRTP)";
  double scale = 0;
  std::string divide_by = "batch";
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "size s of the entries, U(-s, s); 0: 1/sqrt(features of the block)", Range{0, 1e6});
    v(divide_by, "divide_by", batch_doc(), batch_choices());
  }

  void build(const Network& network, uint64_t seed) override { projections_.draw(network, scale, seed); }
  std::vector<Tensor> matrices() const override { return projections_.matrices(); }
  Tensor delta(int64_t b, const Tensor& /*error*/, const Target& target, int64_t steps, const Tensor& valid,
               double share) const override {
    const Tensor& B = projections_.matrix(b);
    const Tensor y = wanted(target, B);
    const double samples = divide_by == "one" ? 1 : static_cast<double>(y.size(0)) / share;
    return projections_.project(b,
                                (y * (-1.0 / (static_cast<double>(steps) * samples)))
                                    .unsqueeze(0)
                                    .expand({steps, y.size(0), y.size(1)}),
                                valid);
  }

 private:
  /// [N,outputs], of the type of B.
  static Tensor wanted(const Target& target, const Tensor& B) {
    if (target.kind == Target::Kind::class_index)
      return torch::one_hot(target.y, B.size(0)).to(B.scalar_type());
    ST_CHECK(target.kind == Target::Kind::values,
             "learning_signal drtp: expected targets of kind class_index or ", "values, got ",
             to_string(target.kind));
    return target.y.flatten(1).to(B.scalar_type());
  }

  Projections projections_;
};
ST_REGISTER(LearningSignal, "drtp", TargetProjection);

}  // namespace
}  // namespace spiketrain
