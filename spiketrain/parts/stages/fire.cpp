// Spikes of a membrane that an analog neuron sent (neuron srm0 with output = "membrane"), after pooling for instance:
//   s[t] = H(x[t] - threshold), its derivative the surrogate's
// Source: Kaiser, Mostafa & Neftci 2020, DECOLLE: pooling sees the membrane, so that error returns to its maximum.
// Deviation: none.  Tests: unit/stage_test.cpp, golden/rules.
#include <string>

#include "spiketrain/ops/surrogate.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct Fire final : Stage {
  static constexpr const char* kDoc = "spikes where its input, a membrane potential, is above the threshold";
  double threshold = 0, surrogate_scale = 10;
  std::string surrogate = "fast_sigmoid";
  SurrogateCurve curve;
  template <class V>
  void visit(V& v) {
    v(threshold, "threshold", "firing threshold; a spike where the input is above it", Range{-1e9, 1e9});
    v(surrogate, "surrogate", "surrogate derivative of the spike, used in the backward pass",
      Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale",
      "steepness or width of the surrogate: the number A of the table of surrogates (docs/conventions.md); 0: its default",
      Range{0, 1e9});
  }
  void check() override {
    ST_CHECK(!surrogate_reads_threshold(surrogate), "stage fire: the surrogate ", surrogate,
             " has a width in units of the threshold, which is zero by default; choose another surrogate");
    curve = surrogate_curve(surrogate, surrogate_scale, 1);
  }

  Shape build(const std::vector<Shape>& inputs) override { return in_ = one_input(inputs, "fire"); }

  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& /*carry*/) override {
    const Tensor s = spike(in[0].values() - threshold, curve, /*strict=*/true);
    Signal y = Signal::spikes(Spikes::from_bytes(s.detach().to(torch::kUInt8)), s);
    if (context.tally && context.mode != Mode::replay) context.tally->add(slot_, y.spikes(), context.valid);
    return y;
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "fire";
    row.kind = "threshold";
    row.out = in_;
    row.slot = slot_;
    row.values = Values::binary;
    row.keeps_input = true;
    row.ops = numel(in_) * 2;
    row.buffer = numel(in_) * 4;
    return {row};
  }

 private:
  Shape in_;
};
ST_REGISTER(Stage, "fire", Fire);

}  // namespace
}  // namespace spiketrain
