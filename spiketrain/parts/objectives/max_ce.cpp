// Max-over-time cross-entropy: softmax cross-entropy of each output's greatest value over the sequence, averaged over the
// batch.  Error enters at the step of that value alone, the first of several equal ones.
// Source: a usual readout of leaky integrators; here as in the code of S3GD (npvoid/SparseSpikingBackprop).
// Deviation: none.  Unsupported: several segments, whose maxima are not those of the sequence.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp, golden/bptt_rules.
#include <limits>

#include "spiketrain/parts/objectives/classes.h"

namespace spiketrain {
namespace {

struct MaxCe final : Objective {
  static constexpr const char* kDoc = "cross-entropy of the output's maximum over time";
  double scale = 1.0;
  ClassWeights weights;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "factor on the maximum before the softmax", Range{1e-9, 1e9});
    weights.visit(v);
  }
  void prepare(const Context& context) override {
    Objective::prepare(context);
    weights.check(context.output[0], part_name());
    ST_CHECK(!context.segments,
             "objective max_ce: the maximum is one of the whole sequence; use schedule whole, without live");
  }
  Tensor loss(const Output& out, const Target& target) const override {
    return out.average(
        [&](int64_t reduction) { return weights.cross_entropy(evidence(out) * scale, target.y, reduction); });
  }
  Tensor evidence(const Output& out) const override {
    Tensor a = out.signal.values();
    if (out.valid.defined())
      a = a.masked_fill(out.valid.logical_not().unsqueeze(2), -std::numeric_limits<double>::infinity());
    return std::get<0>(a.max(0));
  }
};
ST_REGISTER(Objective, "max_ce", MaxCe);

}  // namespace
}  // namespace spiketrain
