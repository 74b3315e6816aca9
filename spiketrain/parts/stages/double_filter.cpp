// A signal through two low-pass filters in a row, for neurons without a membrane of their own (neuron srm0):
//   q[t] = leak_synapse*q[t-1] + (1-leak_synapse)*x[t];   p[t] = leak_membrane*p[t-1] + (1-leak_membrane)*q[t-1]
// p leaves; it reads the q of the step before.  Of a constant signal only the gain is filtered.
// Source: Kaiser, Mostafa & Neftci 2020, DECOLLE, and the authors' code for the order of the two.  Deviation: none.
// State: {q, p}, in the graph.  Tests: unit/stage_test.cpp, golden/rules.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct DoubleFilter final : Stage {
  static constexpr const char* kDoc = "two low-pass filters in a row, as before the weights of DECOLLE";
  double leak_membrane = 0.9, leak_synapse = 0.85;
  template <class V>
  void visit(V& v) {
    v(leak_membrane, "leak_membrane", "decay per step of the second filter", Range{0, 1});
    v(leak_synapse, "leak_synapse", "decay per step of the first filter", Range{0, 1});
  }

  Shape build(const std::vector<Shape>& inputs) override { return in_ = one_input(inputs, "double_filter"); }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& carry) override {
    State& state = carry.state.at(static_cast<size_t>(slot_));
    if (!in[0].is_constant()) return Signal::dense(filter(in[0].values(), state));
    // The profile is T numbers: kept in double, so that segments join without rounding.
    const torch::NoGradGuard no_grad;
    const Tensor gain = in[0].gain();
    const Tensor p = filter(gain.to(torch::kCPU, torch::kDouble), state);
    return Signal::constant(in[0].image(), p.to(gain.options()));
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "input";
    row.kind = "double filter";
    row.out = in_;
    row.linear = row.temporal = true;
    row.ops = numel(in_) * 6;
    return {row};
  }

 private:
  /// x [T,*]
  Tensor filter(const Tensor& x, State& state) const {
    if (state.empty()) state = {torch::zeros_like(x[0]), torch::zeros_like(x[0])};
    std::vector<Tensor> sent;
    for (int64_t t = 0; t < x.size(0); ++t) {
      const Tensor p = state[1] * leak_membrane + state[0] * (1 - leak_membrane);
      state = {state[0] * leak_synapse + x[t] * (1 - leak_synapse), p};
      sent.push_back(p);
    }
    return sent.size() == 1 ? sent[0].unsqueeze(0) : torch::stack(sent);
  }

  Shape in_;
};
ST_REGISTER(Stage, "double_filter", DoubleFilter);

}  // namespace
}  // namespace spiketrain
