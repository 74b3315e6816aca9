// LIF scans in plain loops, one neuron at a time; contract and equations in lif_scan.h.
#include <vector>

#include "spiketrain/kernels/lif_scan/coefficients.h"
#include "spiketrain/kernels/lif_scan/lif_scan.h"
#include "spiketrain/kernels/spike_bits/spike_bits.h"

namespace spiketrain::cpu {
namespace {

template <class R>
struct One {
  const LifCoefficients<R> c;

  bool fires(R y) const { return c.strict ? y > R(0) : y >= R(0); }
  R reset(R u, bool s) const {
    switch (c.reset) {
      case LifReset::soft_decayed:
        return s ? u - c.drop : u;
      case LifReset::hard:
        return s ? c.v_reset : u;
      default:
        return u;
    }
  }
  /// What leaks: b of the contract.
  R before(R z) const { return c.delayed ? reset(z, fires(z - c.threshold)) : z; }
  /// Distance to the threshold.
  R distance(R u, R z) const {
    if (!c.raised) return u - c.threshold;
    return (u - (fires(z - c.threshold) ? c.threshold : R(0))) - c.threshold;
  }
  R charge(R z, R I) const {
    R carried = c.leak * before(z);
    if (c.reset == LifReset::soft && fires(z - c.threshold)) carried = carried - c.drop;
    return (carried + c.gain * I) + c.rest;
  }
  /// dL/du through the state: G = dL/dz already leaked, except h itself for soft.
  R through_reset(R u, bool s, R derivative, R G) const {
    R direct = G, through = 0;
    switch (c.reset) {
      case LifReset::soft_decayed:
        through = -c.drop * G;
        break;
      case LifReset::soft:
        direct = c.leak * G;
        through = -c.drop * G;
        break;
      case LifReset::hard:
        direct = s ? R(0) : G;
        through = (c.v_reset - u) * G;
        break;
      case LifReset::none:
        return G;
    }
    if (c.detach_reset) through = c.reset_slope * G;
    return c.detach_reset && c.reset_slope == R(0) ? direct : direct + derivative * through;
  }
  R leaked(R h) const { return c.reset == LifReset::soft ? h : c.leak * h; }
};

/// Adjoint of one neuron; returns its dL/dleak.
template <class R>
R adjoint_of(const One<R>& one, const LifAdjointArgs<R>& x, int64_t n) {
  const LifCoefficients<R>& c = one.c;
  const R z0 = x.z0 ? x.z0[n] : R(0);
  R h = x.g_out ? x.g_out[n] : R(0), g_leak = 0;
  for (int64_t t = x.T - 1; t >= 0; --t) {
    const int64_t i = t * x.N + n;
    const auto fired = [&](int64_t at) { return x.s ? x.s[at] != 0 : one.fires(x.u[at] - c.threshold); };
    const R b = t > 0 ? one.reset(x.u[i - x.N], fired(i - x.N)) : one.before(z0);
    const R derivative = surrogate_derivative(c.surrogate, one.distance(x.u[i], b));
    R carried = h;
    if (t < x.T - 1) {
      carried = one.through_reset(x.u[i], fired(i), derivative, one.leaked(h));
    } else if (!c.delayed) {
      carried = one.through_reset(x.u[i], fired(i), derivative, h);
    }
    h = derivative * at_site(x.windows, x.delta, x.N, t, n) + carried;
    x.g[i] = c.gain * h;
    if (!x.want_leak) continue;
    R factor = b - c.v_rest;
    if (c.gain_tie != R(0)) factor = factor - c.gain_tie * x.I[i];
    g_leak = g_leak + h * factor;
  }
  if (!x.g_in) return g_leak;
  if (c.delayed) {
    const R y = z0 - c.threshold;
    x.g_in[n] = one.through_reset(z0, one.fires(y), surrogate_derivative(c.surrogate, y), one.leaked(h));
  } else {
    x.g_in[n] = c.leak * h;
  }
  return g_leak;
}

}  // namespace

template <class R>
int64_t lif_forward_ref(const LifParams& p, const LifForwardArgs<R>& x) {
  const One<R> one{LifCoefficients<R>(p)};
  int64_t spikes = 0;
  for (int64_t n = 0; n < x.N; ++n) {
    R z = x.z0 ? x.z0[n] : R(0);
    for (int64_t t = 0; t < x.T; ++t) {
      const int64_t i = t * x.N + n;
      const R u = one.charge(z, mapped(x.map, x.I[x.constant ? n : i], n)), y = one.distance(u, z);
      const bool s = one.fires(y);
      if (x.s) x.s[i] = s;
      if (x.bits) set_bit(x.bits, x.N, t, n, s);
      if (x.a) x.a[i] = R(s);
      if (x.u) x.u[i] = u;
      if (x.psi) x.psi[i] = surrogate_derivative(one.c.psi, y);
      spikes += s;
      z = one.c.delayed ? u : one.reset(u, s);
    }
    if (x.z1) x.z1[n] = z;
  }
  return spikes;
}

template <class R>
double lif_adjoint_ref(const LifParams& p, const LifAdjointArgs<R>& x) {
  const One<R> one{LifCoefficients<R>(p)};
  double g_leak = 0;
  if (!x.u) {
    std::vector<R> u(static_cast<size_t>(x.T * x.N));
    LifForwardArgs<R> forward;
    forward.T = x.T, forward.N = x.N, forward.I = x.I, forward.map = x.map, forward.z0 = x.z0,
    forward.u = u.data();
    lif_forward_ref(p, forward);
    LifAdjointArgs<R> with_membrane = x;
    with_membrane.u = u.data();
    return lif_adjoint_ref(p, with_membrane);
  }
  for (int64_t n = 0; n < x.N; ++n) g_leak += static_cast<double>(adjoint_of(one, x, n));
  return g_leak;
}

template int64_t lif_forward_ref<float>(const LifParams&, const LifForwardArgs<float>&);
template int64_t lif_forward_ref<double>(const LifParams&, const LifForwardArgs<double>&);
template double lif_adjoint_ref<float>(const LifParams&, const LifAdjointArgs<float>&);
template double lif_adjoint_ref<double>(const LifParams&, const LifAdjointArgs<double>&);

}  // namespace spiketrain::cpu
