// Sum over groups of neurons: [C*size] -> [C], output c is the sum of inputs c*size to (c+1)*size - 1.  The readout of a population code:
// every class has `size` output neurons, and objectives, predictions and metrics see the sum of their outputs.
// Source: the population codes of snnTorch (its losses and its accuracy sum groups in the same order).  Deviation: none.
// Tests: unit/population_test.cpp, golden/encoders_test.cpp.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct PopulationSum final : Stage {
  static constexpr const char* kDoc = "sum over groups of neurons, the readout of a population code";
  int64_t size = 10;
  template <class V>
  void visit(V& v) {
    v(size, "size", "neurons in a group", Range{1, 1 << 24});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    const Shape& in = one_input(inputs, "population");
    ST_CHECK(in.size() == 1 && in[0] % size == 0, "population: expected groups of ", size,
             " neurons, a vector [N] with N a multiple of that; got ", at::IntArrayRef(in));
    return out_ = {in[0] / size};
  }
  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    return in[0].map_linear([this](const Tensor& a) {
      return a.unflatten(2, at::IntArrayRef({out_[0], size})).sum(3);
    });
  }
  /// None: a sum carries nothing.
  void assign_slots(int64_t& /*next*/) override {}

  std::string notation() const override { return str("POP", size); }
  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = "population sum";
    row.out = out_;
    row.linear = true;
    row.ops = numel(out_) * size;
    return {row};
  }

 private:
  Shape out_;
};
ST_REGISTER(Stage, "population", PopulationSum);

}  // namespace
}  // namespace spiketrain
