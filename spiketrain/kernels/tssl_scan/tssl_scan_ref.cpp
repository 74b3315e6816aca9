// TSSL-BP scans in plain loops, one neuron at a time; contract and equations in tssl_scan.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "spiketrain/kernels/spike_bits/spike_bits.h"
#include "spiketrain/kernels/tssl_scan/coefficients.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

namespace spiketrain::cpu {
namespace {

template <class R>
R at_or_zero(const R* state, int64_t n) {
  return state ? state[n] : R(0);
}

template <class R>
R sigma_prime(const TsslCoefficients<R>& c, R u) {
  const R limit = R(kSurrogateLimit);
  const R f = std::exp(std::min(std::max((c.threshold - u) * R(1.0 / kSurrogateWidth), -limit), limit));
  const R q = R(1) + f;
  return f / (R(kSurrogateWidth) * (q * q));
}

template <class R>
R du_at(const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x, int64_t t, int64_t n) {
  const int64_t i = t * x.N + n;
  if (t == 0) return x.u[i] - at_or_zero(x.m0, n);
  return x.u[i] - (x.u[i - x.N] > c.threshold ? R(0) : x.u[i - x.N]);
}

template <class R>
void credit_dec2020(const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x, int64_t n) {
  std::vector<bool> warm(static_cast<size_t>(x.T));
  R a = at_or_zero(x.a0, n);
  for (int64_t t = 0; t < x.T; ++t) {
    a = a + (R(x.u[t * x.N + n] > c.threshold) - a) * c.inv_tau_s;
    warm[static_cast<size_t>(t)] = a < c.warm_below;
  }
  R A = 0, theta = 0;
  for (int64_t t = x.T - 1; t >= 0; --t) {
    const int64_t i = t * x.N + n;
    A = at_site(x.windows, x.delta, x.N, t, n) * c.inv_tau_s + c.leak_s * A;
    R e = c.leak_m * theta;
    if (x.u[i] > c.threshold) {
      const R d = std::min(R(1) / du_at(c, x, t, n), R(kMaxInvDuHead));
      e = d * (A + (c.inv_tau_m * x.u[i]) * theta);
    }
    theta = e;
    x.g[i] = warm[static_cast<size_t>(t)] ? A * sigma_prime(c, x.u[i]) : e;
  }
}

template <class R>
void credit_2020(bool intra, bool surrogate, const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x,
                 int64_t n) {
  R A = 0, future = 0;  // future = leak_m^(p-t-1) * delta[p], p the next spike
  for (int64_t t = x.T - 1; t >= 0; --t) {
    const int64_t i = t * x.N + n;
    const R arrived = at_site(x.windows, x.delta, x.N, t, n);
    R delta = arrived;
    if (intra) {
      if (x.u[i] > c.threshold) delta = delta + (c.inv_tau_m * x.u[i]) * future;
      future = x.u[i] > c.threshold ? arrived : c.leak_m * future;
    }
    A = delta * c.inv_tau_s + c.leak_s * A;
    if (surrogate) {
      x.g[i] = A * sigma_prime(c, x.u[i]);
    } else {
      x.g[i] = x.u[i] > c.threshold ? std::min(R(1) / du_at(c, x, t, n), R(kMaxInvDu2020)) * A : R(0);
    }
  }
}

}  // namespace

template <class R>
int64_t tssl_forward_ref(const TsslParams& p, const TsslForwardArgs<R>& x) {
  const TsslCoefficients<R> c(p);
  int64_t spikes = 0;
  for (int64_t n = 0; n < x.N; ++n) {
    R m = at_or_zero(x.m0, n), a = at_or_zero(x.a0, n);
    for (int64_t t = 0; t < x.T; ++t) {
      const int64_t i = t * x.N + n;
      const R du = mapped(x.map, x.I[i], n) - m * c.inv_tau_m;
      const R u = m + du;
      const bool s = u > c.threshold;
      m = s ? R(0) : u;
      a = a + (R(s) - a) * c.inv_tau_s;
      if (x.s) x.s[i] = s;
      if (x.bits) set_bit(x.bits, x.N, t, n, s);
      if (x.u) x.u[i] = u;
      if (x.a) x.a[i] = a;
      spikes += s;
    }
    if (x.m1) x.m1[n] = m;
    if (x.a1) x.a1[n] = a;
  }
  return spikes;
}

template <class R>
void psp_scan_ref(double tau_s, const PspScanArgs<R>& x) {
  const TsslCoefficients<R> c(TsslParams{1.0, tau_s, 1.0});
  for (int64_t n = 0; n < x.N; ++n) {
    R a = at_or_zero(x.a0, n);
    for (int64_t t = 0; t < x.T; ++t) {
      const int64_t i = t * x.N + n;
      a = a + (x.x[i] - a) * c.inv_tau_s;
      x.a[i] = a;
    }
    if (x.a1) x.a1[n] = a;
  }
}

template <class R>
void psp_adjoint_ref(double tau_s, const PspAdjointArgs<R>& x) {
  const TsslCoefficients<R> c(TsslParams{1.0, tau_s, 1.0});
  for (int64_t n = 0; n < x.N; ++n) {
    R carried = at_or_zero(x.g_a1, n);  // gradient wrt a[t] from steps after t
    for (int64_t t = x.T - 1; t >= 0; --t) {
      const int64_t i = t * x.N + n;
      const R B = x.g[i] + carried;
      x.g_x[i] = B * c.inv_tau_s;
      carried = c.leak_s * B;
    }
    if (x.g_a0) x.g_a0[n] = carried;
  }
}

template <class R>
void tssl_credit_ref(TsslVariant variant, const TsslParams& p, const TsslCreditArgs<R>& x) {
  const TsslCoefficients<R> c(p);
  if (!x.u) {
    std::vector<R> u(static_cast<size_t>(x.T * x.N));
    TsslForwardArgs<R> forward;
    forward.T = x.T, forward.N = x.N, forward.I = x.I, forward.map = x.map, forward.m0 = x.m0,
    forward.u = u.data();
    tssl_forward_ref(p, forward);
    TsslCreditArgs<R> with_membrane = x;
    with_membrane.u = u.data();
    return tssl_credit_ref(variant, p, with_membrane);
  }
  for (int64_t n = 0; n < x.N; ++n) {
    switch (variant) {
      case TsslVariant::dec2020:
        credit_dec2020(c, x, n);
        break;
      case TsslVariant::sep2020:
        credit_2020(true, x.warm_up, c, x, n);
        break;
      case TsslVariant::jun2020:
        credit_2020(false, x.warm_up, c, x, n);
        break;
      case TsslVariant::surrogate:
        credit_2020(false, true, c, x, n);
        break;
    }
  }
}

template int64_t tssl_forward_ref<float>(const TsslParams&, const TsslForwardArgs<float>&);
template int64_t tssl_forward_ref<double>(const TsslParams&, const TsslForwardArgs<double>&);
template void psp_scan_ref<float>(double, const PspScanArgs<float>&);
template void psp_scan_ref<double>(double, const PspScanArgs<double>&);
template void psp_adjoint_ref<float>(double, const PspAdjointArgs<float>&);
template void psp_adjoint_ref<double>(double, const PspAdjointArgs<double>&);
template void tssl_credit_ref<float>(TsslVariant, const TsslParams&, const TsslCreditArgs<float>&);
template void tssl_credit_ref<double>(TsslVariant, const TsslParams&, const TsslCreditArgs<double>&);

}  // namespace spiketrain::cpu
