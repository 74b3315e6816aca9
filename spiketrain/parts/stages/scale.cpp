// y = factor * x, a fixed factor on what a layer sends.
// Source: Xiao et al. 2022, "Online training through time for spiking neural networks", whose networks follow every
// spiking layer by it (factor 2.74) where weights are standardised.  Deviation: none.
// Tests: unit/stage_test.cpp, golden/rules_test.cpp.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct Scale final : Stage {
  static constexpr const char* kDoc = "a fixed factor on its input";
  double factor = 1;
  template <class V>
  void visit(V& v) {
    v(factor, "factor", "the factor", Range{1e-9, 1e9});
  }

  Shape build(const std::vector<Shape>& inputs) override { return in_ = one_input(inputs, "scale"); }
  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    return in[0].map_linear([this](const Tensor& a) { return a * factor; });
  }
  /// None: a factor carries nothing.
  void assign_slots(int64_t& /*next*/) override {}

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "scale";
    row.kind = "scale";
    row.out = in_;
    row.linear = true;
    row.ops = numel(in_);
    return {row};
  }

 private:
  Shape in_;
};
ST_REGISTER(Stage, "scale", Scale);

}  // namespace
}  // namespace spiketrain
