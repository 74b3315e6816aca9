// Pooling over k x k windows with stride k; rows and columns that do not fill a window are ignored.
//   sum: y = scale * sum;   avg: y = sum / k^2;   max: y = maximum, at every step by itself
// Deviation: none.  Tests: unit/stage_test.cpp, equiv/pool2d_test.cpp.
#include "spiketrain/core/tape.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The carrier of spikes -> that of scale times their sums.
struct SumCarriers : torch::autograd::Function<SumCarriers> {
  static Tensor forward(AutogradContext* ctx, const Tensor& edge, const std::vector<int64_t>& shape,
                        int64_t k, double scale) {
    ctx->saved_data["shape"] = edge.sizes().vec();
    ctx->saved_data["k"] = k;
    ctx->saved_data["scale"] = scale;
    return carrier(shape, edge.options().requires_grad(false));
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const std::vector<int64_t> shape = ctx->saved_data["shape"].toIntVector();
    return {
        ops::window_spread(g[0], shape, ctx->saved_data["k"].toInt(), ctx->saved_data["scale"].toDouble()),
        Tensor(), Tensor(), Tensor()};
  }
};

struct Pool final : Stage {
  static constexpr const char* kDoc = "pooling over square windows";
  std::string kind = "sum";
  int64_t window = 2;
  double scale = 1;
  template <class V>
  void visit(V& v) {
    v(kind, "kind", "sum, average or maximum of a window", Choices{{"sum", "avg", "max"}});
    v(window, "window", "side of a window", Range{1, 63});
    v(scale, "scale", "factor on the sum, for kind sum", Range{});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    const Shape& in = one_input(inputs, "pool");
    ST_CHECK(in.size() == 3 && in[1] >= window && in[2] >= window, "pooling over ", window, "x", window,
             " windows needs a map [C,H,W] of at least that size; got ", at::IntArrayRef(in));
    out_ = {in[0], in[1] / window, in[2] / window};
    return out_;
  }

  bool taped() const override { return kind != "max"; }
  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& /*carry*/) override {
    if (kind != "max") return context.tape ? sum_taped(in[0], *context.tape) : sum(in[0]);
    // A negative gain would turn the maximum into the minimum, so a constant signal is written out.
    const Tensor a = in[0].values(), y = torch::max_pool2d(a.flatten(0, 1), window);
    return Signal::dense(y.view({a.size(0), a.size(1), out_[0], out_[1], out_[2]}));
  }

  std::string notation() const override {
    return str(kind == "sum" ? "SP" : kind == "avg" ? "AP" : "MP", window);
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = kind == "sum" ? "sum pooling" : kind == "avg" ? "average pooling" : "max pooling";
    row.out = out_;
    row.ops = numel(out_) * window * window;
    if (kind == "max") {
      row.values = Values::as_input;
      row.keeps_input = true;  // autograd's, and the place of each maximum
      row.buffer = numel(out_) * 8;
    } else {
      row.linear = true;
    }
    return {row};
  }

 private:
  /// Whether the sums of a window are small numbers of spikes, which they stay then.
  bool sums_fit(const Signal& x) const {
    constexpr int64_t kMost = 255;
    if (!x.has_spikes() || !x.spikes().bits().defined()) return false;
    return ((int64_t{1} << x.spikes().bits().planes) - 1) * window * window <= kMost;
  }
  double factor() const { return kind == "avg" ? 1.0 / static_cast<double>(window * window) : scale; }
  Signal sum(const Signal& x) const {
    if (sums_fit(x)) return sum_spikes(x);
    return x.map_linear([&](const Tensor& a) { return ops::window_sum(a, window, factor()); });
  }
  Signal sum_taped(const Signal& x, Tape& tape) const {
    const torch::NoGradGuard no_grad;
    if (tape.asks(0)) {
      tape.add([sizes = x.edge().sizes().vec(), windows = ops::Windows{window, factor()}](EdgeError g) {
        return std::vector<EdgeError>{EdgeError(g.take(), windows, sizes)};
      });
    }
    return sum(x);
  }
  Signal sum_spikes(const Signal& x) const {
    const ops::Bits bits = ops::sum_pool(x.spikes().bits(), window);
    // What a window does not fill is lost; the total is known if there is no such rest.
    const bool whole = x.edge().size(3) % window == 0 && x.edge().size(4) % window == 0;
    const Spikes sums =
        Spikes::from_bits(bits, whole ? x.spikes().total() : -1, x.spikes().levels() * window * window);
    const bool filtered = x.tau_s() > 0;
    const Tensor edge =
        SumCarriers::apply(x.edge(), bits.sizes, window, factor());  // of values, not of spikes
    if (!filtered) return Signal::spikes(sums, edge, factor() * x.scale());
    // Sums of PSPs are PSPs of sums.
    const torch::NoGradGuard no_grad;
    const Tensor before = x.before().defined() ? ops::window_sum(x.before(), window, factor()) : Tensor();
    return Signal::psp(sums, edge, x.tau_s(), {}, before, factor() * x.scale());
  }

  Shape out_;
};
ST_REGISTER(Stage, "pool", Pool);

}  // namespace
}  // namespace spiketrain
