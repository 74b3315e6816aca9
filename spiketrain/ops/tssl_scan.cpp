#include "spiketrain/ops/tssl_scan.h"

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {
namespace {

using cpu::TsslVariant;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct PspScan : torch::autograd::Function<PspScan> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double tau_s, const Tensor& before,
                        Tensor after) {
    ctx->saved_data["tau_s"] = tau_s;
    Tensor a = torch::empty_like(x);  // contiguous: psp_scan() laid it so
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "psp_scan", [&] {
      cpu::PspScanArgs<scalar_t> args;
      args.T = x.size(0);
      args.N = after.numel();
      args.x = pointer<scalar_t>(x);
      args.a0 = before.numel() ? pointer<scalar_t>(before) : nullptr;
      args.a = pointer<scalar_t>(a);
      args.a1 = pointer<scalar_t>(after);
      cpu::psp_scan(tau_s, args);
    });
    return a;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {psp_adjoint(grads[0], ctx->saved_data["tau_s"].toDouble()), Tensor(), Tensor(), Tensor()};
  }
};

/// s[t]*(u[t]/tau_m)*leak^(p-t-1)*delta[p], p the next spike of the neuron after t.
Tensor to_next_spike(const Tensor& s, const Tensor& u, const Tensor& delta, double tau_m) {
  Tensor reach = torch::zeros_like(delta[0]);  // leak^(p-t-1)*delta[p]
  std::vector<Tensor> terms(static_cast<size_t>(delta.size(0)));
  for (int64_t t = delta.size(0) - 1; t >= 0; --t) {
    terms[static_cast<size_t>(t)] = s[t] * u[t] / tau_m * reach;
    reach = torch::where(s[t] > 0, delta[t], (1.0 - 1.0 / tau_m) * reach);
  }
  return torch::stack(terms);
}

/// The PSP at every step.
Tensor psp_of(const Tensor& s, const Tensor& before, double tau_s) {
  std::vector<Tensor> steps;
  Tensor a = before;
  for (int64_t t = 0; t < s.size(0); ++t) {
    a = a + (s[t] - a) * (1.0 / tau_s);
    steps.push_back(a);
  }
  return torch::stack(steps);
}

/// The definition in plain ATen.
Tensor credit_by_steps(TsslVariant variant, const cpu::TsslParams& p, const Tensor& u, const Tensor& m,
                       const Tensor& psp, const Tensor& delta, bool warm_up) {
  const double width = 0.2, clip = variant == TsslVariant::dec2020 ? 8.0 : 10.0, leak = 1.0 - 1.0 / p.tau_m;
  const int64_t T = delta.size(0);
  const Tensor s = (u > p.threshold).to(delta.scalar_type());
  const Tensor m_before = torch::cat({m.unsqueeze(0), (u * (1 - s)).slice(0, 0, T - 1)});
  const Tensor r =
      torch::where(s > 0, torch::clamp((u - m_before).reciprocal(), 0, clip), torch::zeros_like(u));
  const Tensor f = torch::exp(torch::clamp((p.threshold - u) / width, -8, 8));
  const Tensor psi = f / (width * (1 + f).square());
  const bool surrogate = variant == TsslVariant::surrogate || warm_up;
  const Tensor d = variant == TsslVariant::sep2020 ? delta + to_next_spike(s, u, delta, p.tau_m) : delta;
  const Tensor a = variant == TsslVariant::dec2020 ? psp_of(s, psp, p.tau_s) : Tensor();
  std::vector<Tensor> g(static_cast<size_t>(T));
  Tensor A = torch::zeros_like(delta[0]), theta = A;
  for (int64_t t = T - 1; t >= 0; --t) {
    A = d[t] / p.tau_s + (1 - 1 / p.tau_s) * A;
    Tensor& out = g[static_cast<size_t>(t)];
    if (variant == TsslVariant::dec2020) {
      theta = torch::where(s[t] > 0, r[t] * (A + u[t] / p.tau_m * theta), leak * theta);
      out = torch::where(a[t] < 1.0 / (4.0 * p.tau_s), A * psi[t], theta);
    } else {
      out = surrogate ? A * psi[t] : r[t] * A;
    }
  }
  return torch::stack(g);
}

}  // namespace

int64_t psp_lif_forward(const cpu::TsslParams& p, const Tensor& I_in, Tensor& m, Tensor& psp,
                        const SpikesOut& s_out, const Tensor& u_out, const Tensor& a_out,
                        const ChannelMap& map) {
  const bool last = channels_last(I_in);
  const Tensor I = laid(I_in, last), m0 = laid_state(m, last), a0 = laid_state(psp, last);
  ST_CHECK(has_kernel(I) && I.dim() >= 1 && m.sizes() == I_in.sizes().slice(1) && psp.sizes() == m.sizes() &&
               m.scalar_type() == I.scalar_type() && psp.scalar_type() == I.scalar_type() && s_out.defined(),
           "psp_lif_forward: expected a current [T,*] and two states [*], float or double alike, on the CPU");
  const Tensor s = output(s_out.bytes, I_in.sizes(), torch::kUInt8, last, "psp_lif_forward: s"),
               u = output(u_out, I_in.sizes(), I.scalar_type(), last, "psp_lif_forward: u"),
               a = output(a_out, I_in.sizes(), I.scalar_type(), last, "psp_lif_forward: a");
  const Tensor m1 = torch::empty(I.sizes().slice(1), I.options()), a1 = torch::empty_like(m1);
  const int64_t spikes = AT_DISPATCH_FLOATING_TYPES(I.scalar_type(), "psp_lif_forward", [&] {
    cpu::TsslForwardArgs<scalar_t> x;
    x.T = I.size(0);
    x.N = m1.numel();
    x.I = pointer<scalar_t>(I);
    x.map = map.in<scalar_t>();
    x.m0 = pointer<scalar_t>(m0);
    x.a0 = pointer<scalar_t>(a0);
    x.s = pointer<uint8_t>(s);
    x.bits = s_out.words();
    x.u = pointer<scalar_t>(u);
    x.a = pointer<scalar_t>(a);
    x.m1 = pointer<scalar_t>(m1);
    x.a1 = pointer<scalar_t>(a1);
    return cpu::tssl_forward(p, x);
  });
  m = unlaid(m1, last);
  psp = unlaid(a1, last);
  return spikes;
}

Tensor tssl_credit(TsslVariant variant, const cpu::TsslParams& p, const Membrane& membrane,
                   const Tensor& m_in, const Tensor& psp_in, const Tensor& delta_in, bool warm_up,
                   const Tensor& g_memory, const Windows& windows) {
  const Tensor& kept_in = membrane.kept();
  const bool last = channels_last(kept_in), mapped = membrane.map.defined();
  const Tensor delta = laid(delta_in, last);
  ST_CHECK(
      delta_in.dim() >= 1 && delta_in.sizes() == at::IntArrayRef(windows.of(kept_in.sizes())) &&
          m_in.sizes() == kept_in.sizes().slice(1) && psp_in.sizes() == m_in.sizes() &&
          (!mapped || (has_kernel(delta) && ChannelMap::fits(kept_in))),
      "tssl_credit: expected delta and u [T,*] and two states [*]; maps are for the kernel and few steps");
  if (!has_kernel(delta)) {
    ST_CHECK(windows.k == 1, "tssl_credit: windows are for the kernel alone");
    return credit_by_steps(variant, p, membrane.u, m_in, psp_in, delta_in, warm_up);
  }
  const Tensor kept = laid(kept_in, last), m = laid_state(m_in, last), psp = laid_state(psp_in, last);
  const Tensor g = credit_memory(g_memory, kept_in, kept, last);
  AT_DISPATCH_FLOATING_TYPES(delta.scalar_type(), "tssl_credit", [&] {
    cpu::TsslCreditArgs<scalar_t> x;
    x.T = kept.size(0);
    x.N = m_in.numel();
    (mapped ? x.I : x.u) = pointer<scalar_t>(kept);
    x.map = membrane.map.in<scalar_t>();
    x.m0 = pointer<scalar_t>(m);
    x.a0 = pointer<scalar_t>(psp);
    x.delta = pointer<scalar_t>(delta);
    x.windows = windows.in(kept_in.sizes(), last);
    x.g = pointer<scalar_t>(g);
    x.warm_up = warm_up;
    cpu::tssl_credit(variant, p, x);
  });
  return unlaid(g, last);
}

Tensor psp_adjoint(const Tensor& g_in, double tau_s) {
  if (!has_kernel(g_in)) {
    std::vector<Tensor> steps(static_cast<size_t>(g_in.size(0)));
    Tensor h = torch::zeros_like(g_in[0]);
    for (size_t t = steps.size(); t-- > 0;)
      steps[t] = h = g_in[static_cast<int64_t>(t)] / tau_s + (1 - 1 / tau_s) * h;
    return torch::stack(steps);
  }
  const bool last = channels_last(g_in);
  const Tensor g = laid(g_in, last);
  const Tensor g_x = torch::empty_like(g);
  AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "psp_adjoint", [&] {
    cpu::PspAdjointArgs<scalar_t> args;
    args.T = g.size(0);
    args.N = g[0].numel();
    args.g = pointer<scalar_t>(g);
    args.g_x = pointer<scalar_t>(g_x);
    cpu::psp_adjoint(tau_s, args);
  });
  return unlaid(g_x, last);
}

Tensor psp_in_place(const Tensor& x, double tau_s, const Tensor& before) {
  ST_CHECK(x.dim() >= 1 && x.size(0) >= 1, "psp_in_place: expected steps [T,*]");
  const bool last = channels_last(x);
  if (!has_kernel(x)) return psp_of(x, before.defined() ? before : torch::zeros_like(x[0]), tau_s);
  const Tensor a = laid(x, last), from = laid_state(before, last);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "psp_in_place", [&] {
    cpu::PspScanArgs<scalar_t> args;
    args.T = a.size(0);
    args.N = a[0].numel();
    args.x = args.a = pointer<scalar_t>(a);
    args.a0 = pointer<scalar_t>(from);
    cpu::psp_scan(tau_s, args);
  });
  return unlaid(a, last);
}

Tensor psp_scan(const Tensor& x, double tau_s, Tensor& carried) {
  if (has_kernel(x)) {
    const bool last = channels_last(x);
    const Tensor from = laid(x, last),
                 before = carried.defined() ? laid(carried, last) : torch::empty({0}, x.options());
    Tensor after = torch::empty_like(from[0]).detach();
    const Tensor a = PspScan::apply(from, tau_s, before.detach(), after);
    carried = unlaid(after, last);
    return unlaid(a, last);
  }
  const Tensor a = psp_of(x, carried.defined() ? carried : torch::zeros_like(x[0]), tau_s);
  carried = a[-1].detach();
  return a;
}

}  // namespace spiketrain::ops
