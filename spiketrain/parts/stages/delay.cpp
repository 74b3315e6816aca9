// Each element arrives whole steps later: y[t] = x[t - steps], and there is silence before the first step.
// `steps` is a buffer shaped like the input, which starts at the option's value; NIR import fills it.  The carried state is the last `longest`
// steps, in the graph, so that a segment that is computed again backpropagates through it.
// Deviation: none.  Tests: unit/nir_stage_test.cpp, golden/nir_test.cpp.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct Delay final : Stage {
  static constexpr const char* kDoc = "delays each element by its own number of steps";
  int64_t longest = 1;
  template <class V>
  void visit(V& v) {
    v(longest, "longest", "maximum delay in steps; also the initial delay of every element",
      Range{0, 1 << 20});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    in_ = one_input(inputs, "delay");
    steps_ = register_buffer("steps", torch::full(in_, static_cast<double>(longest), torch::kFloat));
    return in_;
  }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& carry) override {
    State& state = carry.state.at(static_cast<size_t>(slot_));
    const Tensor x = in[0].values();
    const int64_t T = x.size(0);
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes[0] = longest;
    if (state.empty()) state.push_back(torch::zeros(sizes, x.options().requires_grad(false)));
    const Tensor all = torch::cat({state[0], x});  // step t at longest + t
    const Tensor late = steps_.detach().round().to(torch::kLong);
    ST_CHECK(late.numel() == 0 || (late.min().item<int64_t>() >= 0 && late.max().item<int64_t>() <= longest),
             "delay: expected delays from 0 to ", longest, " steps");
    std::vector<int64_t> along(x.dim(), 1);
    along[0] = T;
    const Tensor from = torch::arange(longest, longest + T, late.options()).view(along) - late;
    state[0] = all.slice(0, T).clone();  // not a view: the rest may go
    return Signal::dense(all.gather(0, from.expand(x.sizes())));
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "delay";
    row.kind = "delays";
    row.out = in_;
    row.values = Values::as_input;
    return {row};
  }

 private:
  Shape in_;
  Tensor steps_;
};
ST_REGISTER(Stage, "delay", Delay);

}  // namespace
}  // namespace spiketrain
