// A signal as a PSP, for neurons that expect one:
//   a[t] = a[t-1] + (x[t] - a[t-1])/tau_s,  a before the first step = 0
// Of a constant signal only the gain is filtered.  The carried state is a[t] of the last step, in the graph, so that
// a segment that is computed again backpropagates through it:  da[t]/d(carried) = (1 - 1/tau_s)^(t+1).
// Deviation: none.  Tests: unit/stage_test.cpp.
#include "spiketrain/ops/tssl_scan.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct PspFilter final : Stage {
  static constexpr const char* kDoc = "postsynaptic potential of its input, a low-pass filter";
  double tau_s = 3;
  template <class V>
  void visit(V& v) {
    v(tau_s, "tau_s", "time constant in steps", Range{1, 1e9});
  }

  Shape build(const std::vector<Shape>& inputs) override { return in_ = one_input(inputs, "psp_filter"); }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& carry) override {
    State& state = carry.state.at(static_cast<size_t>(slot_));
    if (state.empty()) state.emplace_back();
    return in[0].is_constant() ? filter_gain(in[0], state[0])
                               : Signal::dense(filter(in[0].values(), state[0]));
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "input";
    row.kind = "psp filter";
    row.out = in_;
    row.linear = row.temporal = true;
    row.ops = numel(in_) * 3;
    return {row};
  }

 private:
  Tensor filter(const Tensor& x, Tensor& carried) const {
    const Tensor before = carried;
    if (carried.defined()) carried = carried.detach();
    Tensor a = ops::psp_scan(x, tau_s, carried);
    if (before.defined() && before.requires_grad() && x.requires_grad()) {  // else nothing below learns
      std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
      shape[0] = x.size(0);
      const Tensor t = torch::arange(1, x.size(0) + 1, x.options().requires_grad(false)).view(shape);
      const Tensor late = torch::pow(1 - 1 / tau_s, t) * before;
      a = a + (late - late.detach());  // its gradient, and not a bit of its value
    }
    if (a.requires_grad()) carried = a[-1];
    return a;
  }

  /// The profile is T numbers: kept in double, so that segments join without rounding.
  Signal filter_gain(const Signal& x, Tensor& carried) const {
    const Tensor gain = x.gain().to(torch::kCPU, torch::kDouble).contiguous();
    Tensor filtered = torch::empty_like(gain);
    double a = carried.defined() ? carried.item<double>() : 0.0;
    for (int64_t t = 0; t < gain.size(0); ++t) {
      a += (gain.data_ptr<double>()[t] - a) / tau_s;
      filtered.data_ptr<double>()[t] = a;
    }
    carried = torch::full({1}, a, torch::kDouble);
    return Signal::constant(x.image(), filtered.to(x.gain().options()));
  }

  Shape in_;
};
ST_REGISTER(Stage, "psp_filter", PspFilter);

}  // namespace
}  // namespace spiketrain
