// The last steps of a signal side by side, for synapses with delays (delayed_linear):
//   y[t] = x[t], x[t-1], ..., x[t-longest], one after the other; before the first step there is silence
// The carried state is the last `longest` steps, in the graph, so that a segment that is computed again backpropagates through it.
// Deviation: none.  Tests: engine/delays_test.cpp.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct Taps final : Stage {
  static constexpr const char* kDoc = "the last steps of its input side by side, for synapses with delays";
  int64_t longest = 10;
  template <class V>
  void visit(V& v) {
    v(longest, "longest", "number of earlier steps that are concatenated", Range{1, 1 << 16});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    inputs_ = numel(one_input(inputs, "taps"));
    return {(longest + 1) * inputs_};
  }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& carry) override {
    State& state = carry.state.at(static_cast<size_t>(slot_));
    const Tensor x = in[0].values().flatten(2);
    const int64_t T = x.size(0);
    if (state.empty())
      state.push_back(torch::zeros({longest, x.size(1), inputs_}, x.options().requires_grad(false)));
    const Tensor all = torch::cat({state[0], x});  // step t at longest + t
    std::vector<Tensor> taps;
    for (int64_t k = 0; k <= longest; ++k) taps.push_back(all.slice(0, longest - k, longest - k + T));
    state[0] = all.slice(0, T).clone();  // not a view: the rest may go
    return Signal::dense(torch::cat(taps, 2));
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "taps";
    row.kind = "delays";
    row.out = {(longest + 1) * inputs_};
    row.values = Values::as_input;
    return {row};
  }

 private:
  int64_t inputs_ = 0;
};
ST_REGISTER(Stage, "taps", Taps);

}  // namespace
}  // namespace spiketrain
