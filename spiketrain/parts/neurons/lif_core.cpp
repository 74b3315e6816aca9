#include "spiketrain/parts/neurons/lif_core.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/ops/chunks.h"

namespace spiketrain {
namespace {

Tensor number(double value) { return torch::scalar_tensor(value, torch::kDouble); }

cpu::LifReset kernel_reset(Reset kind) {
  switch (kind) {
    case Reset::soft_decayed:
      return cpu::LifReset::soft_decayed;
    case Reset::soft:
      return cpu::LifReset::soft;
    case Reset::hard:
      return cpu::LifReset::hard;
    case Reset::none:
      return cpu::LifReset::none;
    case Reset::hard_input:
      break;
  }
  throw UsageError("reset: the fused scan has no hard_input; such a neuron runs by steps");
}

}  // namespace

void LifCore::check() const {
  if (fires) Firing::check();
  ST_CHECK(!fires || start != "rest" || v_rest < threshold, "v_rest: expected less than the threshold ",
           threshold, ", got ", v_rest);
  ST_CHECK(fires || start != "half", "start: half the threshold, but this neuron has none; use rest or zero");
  ST_CHECK(!learn_leak || (leak > 0 && leak < 1),
           "learn_leak: needs a leak between 0 and 1 to start from, got ", leak);
  ST_CHECK(!raise_after_overshoot || (reset == "soft_decayed" && !reset_delay),
           "raise_after_overshoot: needs reset = \"soft_decayed\" without reset_delay, got reset = \"", reset,
           "\", reset_delay = ", reset_delay ? "true" : "false");
  ST_CHECK(!reset_delay || reset_slope == 0,
           "reset_slope: a reset_delay has no gradient through the spike to replace; leave one of them out");
  ST_CHECK(scalar() || !fires || !surrogate_reads_threshold(surrogate), "per: the surrogate ", surrogate,
           " has a width in units of the threshold and needs per = \"layer\"; choose another surrogate");
}

uint32_t LifCore::provides() const {
  const bool spikes_change_it = fires && (reset == "hard" || reset == "hard_input");
  return kU | kPsi | kJacobian | (scalar() && !spikes_change_it ? kLeak : 0U);
}

double LifCore::initial_w() const { return std::log((1 - leak) / leak); }

Shape LifCore::extent(const Shape& shape) const {
  if (scalar()) return {};
  ST_CHECK(!shape.empty(), "per: expected the shape of the neurons, got none");
  Shape size = shape;
  if (per == "channel") std::fill(size.begin() + 1, size.end(), 1);
  return size;
}

Tensor LifCore::coefficient(torch::nn::Module& owner, const char* name, double value,
                            const Shape& shape) const {
  return scalar() ? number(value)
                  : owner.register_buffer(name, torch::full(extent(shape), value, torch::kFloat));
}

void LifCore::build(torch::nn::Module& owner, const Shape& shape) {
  Firing::build();
  if (learn_leak) w = owner.register_parameter("w", torch::full(extent(shape), initial_w(), torch::kFloat));
  if (scalar()) {
    if (learn_leak) return;
    fixed_.leak = number(leak);
    fixed_.gain = number(decay_input ? (1 - leak) * gain : gain);
    if (leaks && v_rest != 0) fixed_.rest = number((1 - leak) * v_rest);
    return;
  }
  if (!learn_leak) leaks_ = leaks ? coefficient(owner, "leak", leak, shape) : number(1);
  gains_ = coefficient(owner, "gain", gain, shape);
  if (leaks) rests_ = coefficient(owner, "v_rest", v_rest, shape);
  if (!fires) return;
  theta = coefficient(owner, "threshold", threshold, shape);
  if (reset_by == 0) drop = theta;
  if (sets_value()) reset_to = coefficient(owner, "v_reset", v_reset, shape);
}

LifCore::Factors LifCore::factors() const {
  if (fixed_.leak.defined()) return fixed_;
  const Tensor decay = w.defined() ? torch::sigmoid(w) : 1 - leaks_;
  Factors f;
  f.leak = w.defined() ? 1 - decay : leaks_;
  if (scalar()) {  // learned
    f.gain = decay_input ? decay * gain : number(gain);
    if (v_rest != 0) f.rest = decay * v_rest;
  } else {
    f.gain = decay_input ? decay * gains_ : gains_;
    if (leaks) f.rest = decay * rests_;
  }
  return f;
}

Tensor LifCore::initial(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  ST_CHECK(theta.defined(), "neuron: build() comes before its first state");
  if (start == "zero") return torch::zeros({}, options).expand(shape);
  if (start == "half")
    return scalar() ? torch::full({}, threshold / 2, options).expand(shape)
                    : (theta / 2).to(options).expand(shape).contiguous();
  if (scalar()) return torch::full({}, v_rest, options).expand(shape);
  if (leaks) return rests_.to(options).expand(shape).contiguous();
  return sets_value() ? reset_to.to(options).expand(shape).contiguous() : torch::zeros(shape, options);
}

Tensor LifCore::charge(const Tensor& I, const Tensor& b) const {
  const Factors f = factors();
  const Tensor u = b * f.leak + I * f.gain;
  return f.rest.defined() ? u + f.rest : u;
}

LifCore::Charged LifCore::step(const Tensor& I, const Tensor& v) const {
  const Factors f = factors();
  Tensor before;  // the spike that this step has to act on
  if (delayed() || raise_after_overshoot) before = fire(v);
  if (reset_delay || raise_after_overshoot) before = before.detach();
  Tensor carried = (delayed() ? after(v, before) : v) * f.leak;
  const auto acting = [&] { return detach_reset ? before.detach() : before; };
  if (kind == Reset::soft) carried = carried - acting() * drop;
  Tensor u = carried + I * f.gain;
  if (f.rest.defined()) u = u + f.rest;
  if (kind == Reset::hard_input) u = u * (1 - acting()) + acting() * reset_to;
  const Tensor s = fire(raise_after_overshoot ? u - before * theta : u);
  return {u, s, delayed() ? u : after(u, s)};
}

cpu::LifParams LifCore::kernel_params() const {
  torch::NoGradGuard no_grad;
  ST_ASSERT(scalar());
  const Factors f = factors();
  cpu::LifParams p;
  p.leak = f.leak.item<double>();
  p.gain = f.gain.item<double>();
  p.rest = f.rest.defined() ? f.rest.item<double>() : 0;
  p.threshold = threshold;
  p.v_reset = v_reset;
  p.reset_by = reset_by;
  p.reset = kernel_reset(kind);
  p.delayed = delayed();
  p.strict = strict;
  p.detach_reset = detach_reset || reset_delay;
  p.reset_slope = reset_slope;
  p.raised = raise_after_overshoot;
  p.surrogate = curve;
  p.v_rest = v_rest;
  p.gain_tie = decay_input ? gain : 0;
  return p;
}

void LifNeuron::build(const Shape& shape) {
  core.build(*this, shape);
  if (core.scalar()) params_ = core.kernel_params();
}

cpu::LifParams LifNeuron::params() const { return core.w.defined() ? core.kernel_params() : params_; }

bool LifNeuron::by_kernel(const Tensor& x) const { return core.scalar() && ops::has_kernel(x); }

uint32_t LifNeuron::vjp_reads(const Tensor& I) const {
  if (!by_kernel(I)) return kI;
  const bool gain_is_tied = core.w.defined() && core.decay_input;
  return gain_is_tied ? kU | kI : kU;
}

State LifNeuron::initial(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  return {core.initial(shape, options)};
}

Stepped::Step LifNeuron::step(const Tensor& I, const State& state) const {
  const LifCore::Charged now = core.step(I, state[0]);
  return {now.s, now.s, {now.next}, now.u};
}

void LifNeuron::run(Record& record, Steps steps) const {
  if (!scans(record.I, record.slots)) return Stepped::run(record, steps);
  const int64_t spikes =
      ops::lif_forward(params(), at_steps(record.I, steps), record.state[0], spikes_out(record, steps),
                       at_steps(record.u, steps), at_steps(record.psi, steps), record.map);
  if (record.total >= 0) record.total += spikes;
}

Credit LifNeuron::vjp(const Record& record, const Tensor& delta, const State& g_after) const {
  if (!record.map.defined() && (!by_kernel(delta) || !record.u.defined()))
    return Stepped::vjp(record, delta, g_after);
  torch::NoGradGuard no_grad;
  // All but a threshold that moves follows from the membrane.
  const Tensor s = core.raise_after_overshoot ? record.spikes().bytes() : Tensor();
  const ops::LifWants wants = {core.w.defined(), !record.cut};
  const ops::LifAdjoint g = ops::lif_adjoint(params(), {record.u, record.I, record.map}, record.before[0], s,
                                             delta, g_after.empty() ? Tensor() : g_after[0], wants,
                                             record.last_read ? record.u : Tensor(), record.windows);
  if (!core.w.defined()) return {g.g, {g.g_before}};
  const Tensor decay = torch::sigmoid(core.w);
  return {g.g, {g.g_before}, {decay * (1 - decay) * -g.g_leak}};
}

}  // namespace spiketrain
