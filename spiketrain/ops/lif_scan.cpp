#include "spiketrain/ops/lif_scan.h"

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {

int64_t lif_forward(const cpu::LifParams& p, const Tensor& I_in, Tensor& state, const SpikesOut& s_out,
                    const Tensor& u_out, const Tensor& psi_out, const ChannelMap& map) {
  const bool last = channels_last(I_in), constant = repeats(I_in);
  const Tensor I = laid(constant ? I_in.slice(0, 0, 1) : I_in, last), before = laid_state(state, last);
  ST_CHECK(has_kernel(I) && I.dim() >= 1 && state.sizes() == I_in.sizes().slice(1) &&
               state.scalar_type() == I.scalar_type() && s_out.defined(),
           "lif_forward: expected a current [T,*] and a state [*] of one type, float or double, on the CPU");
  const Tensor s = output(s_out.bytes, I_in.sizes(), torch::kUInt8, last, "lif_forward: s"),
               u = output(u_out, I_in.sizes(), I.scalar_type(), last, "lif_forward: u"),
               psi = output(psi_out, I_in.sizes(), I.scalar_type(), last, "lif_forward: psi");
  const Tensor after = torch::empty(I.sizes().slice(1), I.options());
  const int64_t spikes = AT_DISPATCH_FLOATING_TYPES(I.scalar_type(), "lif_forward", [&] {
    cpu::LifForwardArgs<scalar_t> x;
    x.T = I_in.size(0);
    x.N = after.numel();
    x.I = pointer<scalar_t>(I);
    x.constant = constant;
    x.map = map.in<scalar_t>();
    x.z0 = pointer<scalar_t>(before);
    x.s = pointer<uint8_t>(s);
    x.bits = s_out.words();
    x.u = pointer<scalar_t>(u);
    x.psi = pointer<scalar_t>(psi);
    x.z1 = pointer<scalar_t>(after);
    return cpu::lif_forward(p, x);
  });
  state = unlaid(after, last);
  return spikes;
}

LifAdjoint lif_adjoint(const cpu::LifParams& p, const Membrane& membrane, const Tensor& before_in,
                       const Tensor& s_in, const Tensor& delta_in, const Tensor& g_after_in, LifWants wants,
                       const Tensor& g_memory, const Windows& windows) {
  const Tensor& kept_in = membrane.kept();
  const bool mapped = membrane.map.defined(), last = channels_last(kept_in);
  const bool reads_I = mapped || (wants.leak && p.gain_tie != 0);
  const Tensor I = reads_I ? laid(membrane.I, last) : Tensor(), before = laid_state(before_in, last),
               u = laid(membrane.u, last), kept = mapped ? I : u, s = laid(s_in, last),
               delta = laid(delta_in, last), g_after = laid(g_after_in, last);
  ST_CHECK(has_kernel(delta) && delta.dim() >= 1 && before_in.sizes() == kept_in.sizes().slice(1) &&
               delta_in.sizes() == at::IntArrayRef(windows.of(kept_in.sizes())) &&
               (s.defined() ? s.sizes() == kept.sizes() && !mapped : !p.raised) &&
               (!reads_I || I.defined()) && !(mapped && wants.leak) && (!mapped || ChannelMap::fits(I)),
           "lif_adjoint: expected delta, u and s [T,*], the state before [*], and I if the gain is tied to a "
           "learned leak; of a current with a map, few steps and a leak that is not learned");
  LifAdjoint result{credit_memory(g_memory, kept_in, kept, last), {}};
  if (wants.before) result.g_before = torch::empty(kept.sizes().slice(1), kept.options());
  result.g_leak = AT_DISPATCH_FLOATING_TYPES(delta.scalar_type(), "lif_adjoint", [&] {
    cpu::LifAdjointArgs<scalar_t> x;
    x.T = kept.size(0);
    x.N = before_in.numel();
    x.windows = windows.in(kept_in.sizes(), last);
    x.map = membrane.map.in<scalar_t>();
    x.u = pointer<scalar_t>(u);
    x.s = pointer<uint8_t>(s);
    x.z0 = pointer<scalar_t>(before);
    x.delta = pointer<scalar_t>(delta);
    x.g_out = pointer<scalar_t>(g_after);
    x.I = pointer<scalar_t>(I);
    x.g = pointer<scalar_t>(result.g);
    x.g_in = pointer<scalar_t>(result.g_before);
    x.want_leak = wants.leak;
    return cpu::lif_adjoint(p, x);
  });
  result.g = unlaid(result.g, last);
  if (wants.before) result.g_before = unlaid(result.g_before, last);
  return result;
}

}  // namespace spiketrain::ops
