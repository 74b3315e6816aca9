// Multi-level firing: K membranes with thresholds one above the other see the same current, and what leaves is how many
// of them fire, a count from 0 to K (the union of their spikes).  With k from 1 to K:
//   u_k[t] = leak*v_k[t-1] + I[t];   s_k[t] = H(u_k[t] - V_k), strict;   v_k[t] = u_k[t]*(1 - s_k[t])
//   a[t] = sum_k s_k[t];   V_k = threshold + (k-1)*spacing
// Each level resets by itself: the third keeps its charge where the first fires.  The reset is differentiated, too.  With
// the surrogate rect of width `spacing` the levels' windows lie side by side, without a gap.
// One level is lif with a hard reset and strict firing.  The membrane that others see (kU) is that of the first level.
// State: {v_1, ..., v_K}.  On the CPU in float or double the fused scan of lif runs once per level, forward and back;
// the way back runs it forward once more, so that memory is the current alone, whatever K.
// Source: Feng, Liu, Tang, Ma, Pan 2022, "Multi-level firing with spiking DS-ResNet: enabling better and deeper
// directly-trained spiking neural networks", written from the authors' code (langfengQ/MLF-DSResNet, a49bdc3).
// Deviation: none.  Tests: golden/mlf, grad/neuron, grad/mlf, property/neuron.
#include "spiketrain/core/neuron.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/lif_scan.h"
#include "spiketrain/ops/surrogate.h"

namespace spiketrain {
namespace {

struct Mlf final : Stepped {
  static constexpr const char* kDoc = "multi-level firing: sends how many of its thresholds were crossed";
  int64_t levels = 3;
  double leak = 0.25, threshold = 0.6, spacing = 1, surrogate_scale = 0;
  std::string surrogate = "rect";
  SurrogateCurve curve;
  std::vector<cpu::LifParams> level;  ///< what build() makes of the options
  template <class V>
  void visit(V& v) {
    v(levels, "levels", "thresholds, and the greatest count that is sent", Range{1, 64});
    v(threshold, "threshold", "the lowest threshold, unit of the weights", Range{1e-9, 1e9});
    v(spacing, "spacing", "from one threshold to the next", Range{1e-9, 1e9});
    v(leak, "leak", "membrane decay per step", Range{0, 1});
    v(surrogate, "surrogate", "derivative of each level's spike", Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale",
      "the surrogate's own number (alpha, slope or width); 0 = its default: rect is then one wide",
      Range{0, 1e9});
  }
  void check() override {
    ST_CHECK(!surrogate_reads_threshold(surrogate), "neuron mlf: the surrogate ", surrogate,
             " has a width in units of the threshold, of which there are several; choose another surrogate");
  }
  void build(const Shape&) override {
    curve = surrogate_curve(surrogate, surrogate_scale, threshold);
    level.assign(static_cast<size_t>(levels), {});
    for (size_t k = 0; k < level.size(); ++k) {
      level[k].leak = leak;
      level[k].threshold = threshold + static_cast<double>(k) * spacing;
      level[k].reset = cpu::LifReset::hard;
      level[k].strict = true;
      level[k].surrogate = curve;
    }
  }
  Emission emits() const override { return {levels, 0}; }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    ST_CHECK(!level.empty(), "neuron: build() comes before its first state");
    return State(level.size(), torch::zeros({}, options).expand(shape));
  }
  Step step(const Tensor& I, const State& state) const override {
    Step now;
    for (size_t k = 0; k < level.size(); ++k) {
      const Tensor u = state[k] * leak + I, s = spike(u - level[k].threshold, curve, /*strict=*/true);
      now.a = k == 0 ? s : now.a + s;
      now.next.push_back(u * (1 - s));
      if (k == 0) now.u = u;
    }
    now.s = now.a;
    return now;
  }
  void run(Record& record, Steps steps) const override;
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override;
};

void Mlf::run(Record& record, Steps steps) const {
  if (!ops::has_kernel(record.I) || (record.slots & kJacobian)) return Stepped::run(record, steps);
  const torch::NoGradGuard no_grad;
  const Tensor I = at_steps(record.I, steps), s = at_steps(record.s, steps),
               psi = at_steps(record.psi, steps);
  const bool last = ops::channels_last(I);
  Tensor s_k = s, psi_k = psi, u = at_steps(record.u, steps);
  for (size_t k = 0; k < level.size(); ++k) {
    if (k == 1) {
      s_k = ops::laid_empty(s.sizes(), s.options(), last);
      if (psi.defined()) psi_k = ops::laid_empty(psi.sizes(), psi.options(), last);
      u.reset();
    }
    record.total += ops::lif_forward(level[k], I, record.state[k], {s_k}, u, psi_k);
    if (k == 0) continue;
    s.add_(s_k);
    if (psi.defined()) psi.add_(psi_k);
  }
}

/// The levels share nothing but the current, so that what they return to it adds up.
Credit Mlf::vjp(const Record& record, const Tensor& delta, const State& g_after) const {
  if (!ops::has_kernel(delta)) return Stepped::vjp(record, delta, g_after);
  const torch::NoGradGuard no_grad;
  const Tensor& I = record.I;
  const bool last = ops::channels_last(I);
  const Tensor u = ops::laid_empty(I.sizes(), I.options(), last),
               s = ops::laid_empty(I.sizes(), I.options().dtype(torch::kUInt8), last);
  Credit credit;
  for (size_t k = 0; k < level.size(); ++k) {
    Tensor after = record.before[k];
    ops::lif_forward(level[k], I, after, {s}, u, {});
    const ops::LifAdjoint g =
        ops::lif_adjoint(level[k], {u}, record.before[k], {}, delta,
                         k < g_after.size() ? g_after[k] : Tensor(), {/*leak=*/false, !record.cut});
    credit.g = k == 0 ? g.g : credit.g.add_(g.g);
    credit.g_before.push_back(g.g_before);
  }
  return credit;
}

ST_REGISTER(Neuron, "mlf", Mlf);

}  // namespace
}  // namespace spiketrain
