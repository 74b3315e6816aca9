#include "spiketrain/neurons/lif_core.h"

#include <cmath>

#include "spiketrain/core/ops.h"
#include "spiketrain/core/rule.h"

namespace spiketrain {
namespace {

Tensor scalar(double value) { return torch::scalar_tensor(value, torch::kDouble); }

template <class R>
R* pointer(const Tensor& t) {
  return t.defined() ? t.data_ptr<R>() : nullptr;
}

}  // namespace

void LifCore::check() const {
  Firing::check();
  ST_CHECK(v_rest < threshold, "v_rest: expected less than the threshold ", threshold, ", got ", v_rest);
  ST_CHECK(!learn_leak || (leak > 0 && leak < 1),
           "learn_leak: needs a leak between 0 and 1 to start from, got ", leak);
  ST_CHECK(!raise_after_overshoot || (reset == "soft_decayed" && !reset_delay),
           "raise_after_overshoot: needs reset = \"soft_decayed\" without reset_delay, got reset = \"", reset,
           "\", reset_delay = ", reset_delay ? "true" : "false");
}

double LifCore::initial_w() const { return std::log((1 - leak) / leak); }

LifCore::Factors LifCore::factors() const {
  if (!w.defined()) {
    return {scalar(leak), scalar(decay_input ? (1 - leak) * gain : gain), scalar((1 - leak) * v_rest)};
  }
  const Tensor decay = torch::sigmoid(w);
  return {1 - decay, decay_input ? decay * gain : scalar(gain), decay * v_rest};
}

Tensor LifCore::charge(const Tensor& I, const Tensor& b) const {
  const Factors f = factors();
  const Tensor u = b * f.leak + I * f.gain;
  return v_rest == 0 ? u : u + f.rest;
}

LifCore::Charged LifCore::step(const Tensor& I, const Tensor& v) const {
  const Factors f = factors();
  const auto decide = [&](const Tensor& z) {
    const Tensor s = fire(z);
    return reset_delay || raise_after_overshoot ? s.detach() : s;
  };
  Tensor before;  // the spike that this step has to act on
  if (delayed() || raise_after_overshoot) before = decide(v);
  Tensor carried = (delayed() ? after(v, before) : v) * f.leak;
  if (reset == "soft") carried = carried - (detach_reset ? before.detach() : before) * threshold;
  Tensor u = carried + I * f.gain;
  if (v_rest != 0) u = u + f.rest;
  if (reset == "hard_input") {
    const Tensor z = detach_reset ? before.detach() : before;
    u = u * (1 - z) + z * v_reset;
  }
  const Tensor s = fire(raise_after_overshoot ? u - before * threshold : u);
  return {u, s, delayed() ? u : after(u, s)};
}

cpu::LifParams LifCore::kernel_params() const {
  torch::NoGradGuard no_grad;
  const Factors f = factors();
  cpu::LifParams p;
  p.leak = f.leak.item<double>();
  p.gain = f.gain.item<double>();
  p.rest = v_rest == 0 ? 0 : f.rest.item<double>();
  p.threshold = threshold;
  p.v_reset = v_reset;
  p.reset = reset == "soft_decayed" ? cpu::LifReset::soft_decayed
            : reset == "soft"       ? cpu::LifReset::soft
            : reset == "hard"       ? cpu::LifReset::hard
                                    : cpu::LifReset::none;
  p.delayed = delayed();
  p.strict = strict;
  p.detach_reset = detach_reset || reset_delay;
  p.raised = raise_after_overshoot;
  p.surrogate = curve();
  p.v_rest = v_rest;
  p.gain_tie = decay_input ? gain : 0;
  return p;
}

void LifCore::run(Tape& tape) const {
  const Tensor I = tape.I.contiguous(), z0 = tape.in[0].contiguous();
  Tensor s = torch::empty(I.sizes(), I.options().dtype(torch::kUInt8)), u, psi, z1 = torch::empty_like(z0);
  tape.a = torch::empty_like(I);
  if (tape.record && (!tape.rule || tape.rule->uses_vjp())) u = torch::empty_like(I);
  if (tape.record && (tape.needs & kPsi)) psi = torch::empty_like(I);
  const int64_t count = AT_DISPATCH_FLOATING_TYPES(I.scalar_type(), "lif", [&] {
    cpu::LifForwardArgs<scalar_t> args;
    args.T = I.size(0);
    args.N = z0.numel();
    args.I = pointer<scalar_t>(I);
    args.z0 = pointer<scalar_t>(z0);
    args.s = s.data_ptr<uint8_t>();
    args.a = pointer<scalar_t>(tape.a);
    args.u = pointer<scalar_t>(u);
    args.psi = pointer<scalar_t>(psi);
    args.z1 = pointer<scalar_t>(z1);
    return cpu::lif_forward(kernel_params(), args);
  });
  tape.s = Events::from_bytes(s, count);
  tape.psi = psi;
  tape.saved = {u};
  tape.out = {z1};
  tape.reads_I = w.defined() && decay_input;  // the gain is then tied to the leak
}

Neuron::Adjoint LifCore::vjp(const Tape& tape, const Tensor& delta_in, const State& g_out) const {
  torch::NoGradGuard no_grad;
  const Tensor& u = tape.saved[0];
  const Tensor delta = delta_in.contiguous(), z0 = tape.in[0].contiguous();
  const Tensor I = w.defined() && decay_input ? tape.I.contiguous() : Tensor();
  const Tensor g_last = !g_out.empty() && g_out[0].defined() ? g_out[0].contiguous() : Tensor();
  Tensor g = torch::empty_like(delta), g_in = torch::empty_like(z0);
  const double g_leak = AT_DISPATCH_FLOATING_TYPES(delta.scalar_type(), "lif_vjp", [&] {
    cpu::LifAdjointArgs<scalar_t> args;
    args.T = delta.size(0);
    args.N = z0.numel();
    args.u = pointer<scalar_t>(u);
    args.s = tape.s.bytes().data_ptr<uint8_t>();
    args.z0 = pointer<scalar_t>(z0);
    args.delta = pointer<scalar_t>(delta);
    args.g_out = pointer<scalar_t>(g_last);
    args.I = pointer<scalar_t>(I);
    args.g = pointer<scalar_t>(g);
    args.g_in = pointer<scalar_t>(g_in);
    args.want_leak = w.defined();
    return cpu::lif_adjoint(kernel_params(), args);
  });
  if (!w.defined()) return {g, {g_in}, {}};
  const Tensor decay = torch::sigmoid(w);
  return {g, {g_in}, {decay * (1 - decay) * -g_leak}};
}

State LifNeuron::initial(at::IntArrayRef shape, const torch::TensorOptions& options) const {
  return {torch::full(shape, core.v_rest, options)};
}

Neuron::Step LifNeuron::step(const Tensor& I, const State& state) const {
  const LifCore::Charged now = core.step(I, state[0]);
  return {now.s, now.s, {now.next}};
}

void LifNeuron::run(Tape& tape) const {
  if (ops::has_kernel(tape.I)) {
    core.run(tape);
  } else {
    Neuron::run(tape);
  }
}

/// On the CPU in float or double: the kernel stores u, and I only if the leak is learnt and tied to the gain.
Neuron::Footprint LifNeuron::footprint(const Rule& rule, int64_t window) const {
  Footprint f = Neuron::footprint(rule, window);
  if (!rule.uses_vjp()) return f;
  f.scratch = static_cast<double>(f.state) / static_cast<double>(window);  // dL/d(state before the window)
  f.keeps_current = core.w.defined() && core.decay_input;
  f.kept += f.keeps_current ? 4 : 0;  // u comes in, I goes
  return f;
}

Neuron::Adjoint LifNeuron::vjp(const Tape& tape, const Tensor& delta, const State& g_out) const {
  const bool by_kernel = ops::has_kernel(delta) && !tape.saved.empty() && tape.saved[0].defined();
  return by_kernel ? core.vjp(tape, delta, g_out) : Neuron::vjp(tape, delta, g_out);
}

}  // namespace spiketrain
