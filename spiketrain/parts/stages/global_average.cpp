// [C,H,H] -> [C]: the mean over the map.
// Deviation: none.  Tests: unit/stage_test.cpp.
#include "spiketrain/ops/pool2d.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct GlobalAverage final : Stage {
  static constexpr const char* kDoc = "mean over each map";
  template <class V>
  void visit(V&) {}

  Shape build(const std::vector<Shape>& inputs) override {
    in_ = one_input(inputs, "global_average");
    ST_CHECK(in_.size() == 3 && in_[1] == in_[2] && in_[1] >= 1, "GAP needs a square map [C,H,H]; got ",
             at::IntArrayRef(in_));
    return {in_[0]};
  }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    return in[0].map_linear([&](const Tensor& a) {
      return ops::window_sum(a, in_[1], 1.0 / static_cast<double>(in_[1] * in_[2])).flatten(2);
    });
  }

  std::string notation() const override { return "GAP"; }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = "global average";
    row.out = {in_[0]};
    row.linear = true;
    row.ops = numel(in_);
    return {row};
  }

 private:
  Shape in_;
};
ST_REGISTER(Stage, "global_average", GlobalAverage);

}  // namespace
}  // namespace spiketrain
