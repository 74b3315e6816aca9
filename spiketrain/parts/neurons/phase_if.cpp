// Phase-coded integrate-and-fire: a value is sent as its K binary digits, one a step, the most significant first.  A spike in
// phase i weighs p_i = 2^-(1+i), as what the neuron reads and as what it sends.
//   online     v += p_i*I[t];  s[t] = v >= threshold*p_i;  v -= s[t]*threshold*p_i           v goes on from period to period
//   pipelined  u = sum of p_i*I[t] over a period; in the next one, r = u at its start:  s[t] = r >= threshold*p_i;
//              r -= s[t]*threshold*p_i
//   aligned    pipelined, with the digits of a period sent in that period: the delay is taken out, so that a network of any depth
//              runs in one period.  Not causal within it.
// Pipelined and aligned: threshold * sum_i p_i*s_i is u cut to K binary digits of the threshold, 0 below it and at most
// threshold*(1 - 2^-K), without rounding.  Their gradient is passed straight through the cut, as in relu with bits:
//   dL/du = sum_i p_i*dL/ds_i / (threshold * sum_j p_j^2) where 0 <= u <= threshold, else 0.   Online: a surrogate at v/p_i.
// A bias of the synapse comes at every step and so counts 1 - 2^-K times.
// Source: Kim et al. 2018, "Deep neural networks with weighted spikes" (online); digits as in SpikingJelly's weighted phase encoder.
// Deviation: pipelined and aligned are ours, as is the gradient.
// State: {v, phase}; pipelined {sum, r, u, phase}; aligned none.  Tests: golden/phase_test.cpp, unit/phase_test.cpp, grad/neuron.
#include <string>

#include "spiketrain/ops/surrogate.h"
#include "spiketrain/parts/neurons/phases.h"

namespace spiketrain {
namespace {

struct PhaseIf final : Stepped {
  static constexpr const char* kDoc =
      "integrate-and-fire for phase coding: sends the binary digits of its sum";
  Phases phases;
  double threshold = 1, surrogate_scale = 0;
  std::string form = "online", surrogate = "atan";
  template <class V>
  void visit(V& v) {
    phases.visit(v);
    v(form, "form",
      "digits are sent as they come in (online), a period later (pipelined), or in the same period, which is then read as a "
      "whole (aligned)",
      Choices{{"online", "pipelined", "aligned"}});
    v(threshold, "threshold", "the value of which digits are sent is the sum over a period divided by it",
      Range{1e-9, 1e9});
    v(surrogate, "surrogate", "derivative of the spike, form = \"online\" only", Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale", "the surrogate's own number; 0 = its default", Range{0, 1e9});
  }
  void check() override {
    ST_CHECK(online() || (surrogate == "atan" && surrogate_scale == 0), "neuron phase_if: form = \"", form,
             "\" passes gradients straight through; leave surrogate and ",
             "surrogate_scale out, or use form = \"online\"");
  }
  void build(const Shape& /*shape*/) override {
    curve_ = surrogate_curve(surrogate, surrogate_scale, threshold);
    squares_ = 0;
    for (int64_t i = 0; i < phases.bits; ++i) squares_ += Phases::weight(i) * Phases::weight(i);
  }
  uint32_t provides() const override { return online() ? kU | kPsi | kJacobian : kU; }
  bool whole_sequence() const override { return form == "aligned"; }

  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    if (whole_sequence()) return {};
    return State(online() ? 2 : 4, torch::zeros({}, options).expand(shape));
  }

  /// Aligned: one step of the same with the delay, which is what run() does but for that.
  Step step(const Tensor& I, const State& state) const override {
    if (whole_sequence()) return pipelined_step(I, State(4, torch::zeros_like(I)));
    return online() ? online_step(I, state) : pipelined_step(I, state);
  }

  void run(Record& record, Steps steps) const override {
    if (!whole_sequence()) return Stepped::run(record, steps);
    const torch::NoGradGuard no_grad;
    const int64_t K = phases.bits;
    ST_CHECK(steps.size() % K == 0, "neuron phase_if: form = \"aligned\" reads whole periods of ", K,
             " steps, got ", steps.size(), "; set steps to a multiple of bits");
    for (int64_t start = steps.begin; start < steps.end; start += K) {
      Tensor r = sum(record.I, start);
      for (int64_t i = 0; i < K; ++i) {
        if (record.u.defined()) record.u[start + i].copy_(r);
        const double digit = threshold * Phases::weight(i);
        const Tensor s = r.ge(digit);
        record.s[start + i].copy_(s);
        r = r - s.to(r.scalar_type()) * digit;
      }
    }
    record.total = -1;
  }

  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override {
    if (!whole_sequence()) return Stepped::vjp(record, delta, g_after);
    const torch::NoGradGuard no_grad;
    const int64_t K = phases.bits;
    Tensor g = torch::empty_like(record.I, at::MemoryFormat::Contiguous);
    for (int64_t start = 0; start < delta.size(0); start += K) {
      Tensor g_u = torch::zeros_like(delta[start]);
      for (int64_t i = 0; i < K; ++i) g_u = g_u + delta[start + i] * share(Phases::weight(i));
      g_u = g_u * passes(sum(record.I, start));
      for (int64_t i = 0; i < K; ++i) g[start + i].copy_(g_u * Phases::weight(i));
    }
    return {g};
  }

 private:
  bool online() const { return form == "online"; }
  /// ds_i/du where the gradient is passed: of the least size that makes d(sum of threshold*p_i*s_i)/du 1.
  template <class P>
  P share(const P& p) const {
    return p * (1 / (threshold * squares_));
  }
  /// 1 where u is neither below zero nor over the threshold.
  Tensor passes(const Tensor& u) const { return (u.ge(0) & u.le(threshold)).to(u.scalar_type()); }
  /// Over the period that begins at this step.
  Tensor sum(const Tensor& I, int64_t start) const {
    Tensor u = I[start] * Phases::weight(0);
    for (int64_t i = 1; i < phases.bits; ++i) u = u + I[start + i] * Phases::weight(i);
    return u;
  }

  Step online_step(const Tensor& I, const State& state) const {
    const Tensor p = phases.weights(state[1]);
    const Tensor v = state[0] + p * I;
    const Tensor s = spike(v / p - threshold, curve_, /*strict=*/false);
    return {s, s, {v - s * (p * threshold), phases.next(state[1])}, v};
  }

  Step pipelined_step(const Tensor& I, const State& state) const {
    const Tensor p = phases.weights(state[3]), first = p.eq(Phases::weight(0));
    const Tensor r = torch::where(first, state[0], state[1]), u = torch::where(first, state[0], state[2]);
    const Tensor digit = p * threshold, s = r.detach().ge(digit).to(r.scalar_type());
    const Tensor way_back = u * (passes(u.detach()) * share(p));
    const Tensor a = s + (way_back - way_back.detach());
    const Tensor sum = torch::where(first, torch::zeros_like(I), state[0]) + p * I;
    return {a, s, {sum, r - s * digit, u, phases.next(state[3])}, r};
  }

  SurrogateCurve curve_;
  double squares_ = 0;  ///< sum of p_i^2
};
ST_REGISTER(Neuron, "phase_if", PhaseIf);

}  // namespace
}  // namespace spiketrain
