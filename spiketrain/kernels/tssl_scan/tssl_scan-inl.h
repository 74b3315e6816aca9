// TSSL-BP scans, vector body, compiled once per instruction set; contract and equations in tssl_scan.h.
// A tile of kTile neurons is walked through all steps: rows of a tile are contiguous, so the prefetchers see
// a few long streams whatever T is, and the states of a tile stay in L1.
//
// Only mul and add, never a fused multiply-add: the bits must be those of tssl_scan_ref.cpp.
#if defined(SPIKETRAIN_TSSL_SCAN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_TSSL_SCAN_INL_H
#undef SPIKETRAIN_TSSL_SCAN_INL_H
#else
#define SPIKETRAIN_TSSL_SCAN_INL_H
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/current_map-inl.h"
#include "spiketrain/kernels/rows-inl.h"
#include "spiketrain/kernels/tssl_scan/coefficients.h"
#include "spiketrain/kernels/windows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {  // the namespaces above are shared with the other kernels
namespace hn = hwy::HWY_NAMESPACE;

// The membrane before reset, from that after the last one and the current.
template <class R, class V>
HWY_INLINE V charge(const TsslCoefficients<R>& c, V m, V I) {
  return hn::Add(m, hn::Sub(I, hn::Mul(m, hn::Set(hn::ScalableTag<R>(), c.inv_tau_m))));
}

template <class R>
int64_t forward_tile(const TsslCoefficients<R>& c, const TsslForwardArgs<R>& x, int64_t begin, int64_t w) {
  const hn::ScalableTag<R> d;
  HWY_ALIGN R m_state[kTile], a_state[kTile];
  load_state(x.m0, begin, w, m_state);
  load_state(x.a0, begin, w, a_state);
  const auto inv_tau_s = hn::Set(d, c.inv_tau_s), threshold = hn::Set(d, c.threshold), one = hn::Set(d, R(1));
  const int64_t words = (x.N + 63) / 64, tile_words = (w + 63) / 64;
  const MapRow<R> map(x.map, begin);
  int64_t spikes = 0;
  const R* a_before = a_state;
  for (int64_t t = 0; t < x.T; ++t) {
    const int64_t row = t * x.N + begin;
    const R* I = x.I + row;
    R* u_out = x.u ? x.u + row : nullptr;
    R* a_out = x.a ? x.a + row : a_state;
    uint8_t* s_out = x.s ? x.s + row : nullptr;
    uint64_t* bits = x.bits ? x.bits + t * words + begin / 64 : nullptr;
    if (bits) memset(bits, 0, static_cast<size_t>(tile_words) * sizeof(uint64_t));
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto m = access.load(m_state + i);
      prefetch_tile(I + i);
      const auto u = charge(c, m, map.read(access, I, i));
      const auto fired = hn::Gt(u, threshold);
      const auto s = hn::IfThenElseZero(fired, one);
      access.store(hn::IfThenZeroElse(fired, u), m_state + i);
      const auto a = access.load(a_before + i);
      access.store(hn::Add(a, hn::Mul(hn::Sub(s, a), inv_tau_s)), a_out + i);
      if (u_out) access.store(u, u_out + i);
      const auto counted = access.counted(fired);
      spikes += static_cast<int64_t>(hn::CountTrue(d, counted));
      if (s_out) access.store_spikes(s, s_out + i);
      if (bits) set_bits(d, counted, bits, i);
    });
    a_before = a_out;
  }
  save_state(m_state, begin, w, x.m1);
  save_state(a_before, begin, w, x.a1);
  return spikes;
}

template <class R>
void psp_tile(const TsslCoefficients<R>& c, const PspScanArgs<R>& x, int64_t begin, int64_t w) {
  const hn::ScalableTag<R> d;
  HWY_ALIGN R a_state[kTile];
  load_state(x.a0, begin, w, a_state);
  const auto inv_tau_s = hn::Set(d, c.inv_tau_s);
  const R* a_before = a_state;
  for (int64_t t = 0; t < x.T; ++t) {
    const R* in = x.x + t * x.N + begin;
    R* out = x.a + t * x.N + begin;
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto a = access.load(a_before + i);
      access.store(hn::Add(a, hn::Mul(hn::Sub(access.load(in + i), a), inv_tau_s)), out + i);
    });
    a_before = out;
  }
  save_state(a_before, begin, w, x.a1);
}

template <class R>
void psp_adjoint_tile(const TsslCoefficients<R>& c, const PspAdjointArgs<R>& x, int64_t begin, int64_t w) {
  const hn::ScalableTag<R> d;
  HWY_ALIGN R carried[kTile];
  load_state(x.g_a1, begin, w, carried);
  const auto inv_tau_s = hn::Set(d, c.inv_tau_s), leak_s = hn::Set(d, c.leak_s);
  for (int64_t t = x.T - 1; t >= 0; --t) {
    const R* g = x.g + t * x.N + begin;
    R* g_x = x.g_x + t * x.N + begin;
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto B = hn::Add(access.load(g + i), access.load(carried + i));
      access.store(hn::Mul(B, inv_tau_s), g_x + i);
      access.store(hn::Mul(leak_s, B), carried + i);
    });
  }
  save_state(carried, begin, w, x.g_a0);
}

// sigma'(u) as a quotient.
template <class R, class V>
HWY_INLINE V sigma_prime(const TsslCoefficients<R>& c, V u, V* divisor) {
  const hn::ScalableTag<R> d;
  const auto limit = hn::Set(d, R(kSurrogateLimit));
  const auto z = hn::Mul(hn::Sub(hn::Set(d, c.threshold), u), hn::Set(d, R(1.0 / kSurrogateWidth)));
  const auto f = hn::Exp(d, hn::Min(hn::Max(z, hn::Neg(limit)), limit));
  const auto q = hn::Add(hn::Set(d, R(1)), f);
  *divisor = hn::Mul(hn::Set(d, R(kSurrogateWidth)), hn::Mul(q, q));
  return f;
}

// Row t of a tile, and where the membrane before it is to be found.
template <class R>
struct CreditRow {
  const R* u;
  const R* delta;
  R* g;
  const R* u_before;  // null at step 0
  const R* m0;        // used at step 0
  CreditRow(const TsslCreditArgs<R>& x, const MembraneRows<R>& membrane, const R* delta, const R* m0,
            int64_t t, int64_t begin)
      : u(membrane.at(t)),
        delta(delta),
        g(x.g + t * x.N + begin),
        u_before(t > 0 ? membrane.at(t - 1) : nullptr),
        m0(m0) {}
};

// u[t] - m[t-1].
template <class R, class Access>
HWY_INLINE auto du_at(const TsslCoefficients<R>& c, const CreditRow<R>& r, const Access& access, int64_t i) {
  const hn::ScalableTag<R> d;
  auto m = hn::Zero(d);
  if (r.u_before) {
    const auto u = access.load(r.u_before + i);
    m = hn::IfThenZeroElse(hn::Gt(u, hn::Set(d, c.threshold)), u);
  } else {
    m = access.load(r.m0 + i);
  }
  return hn::Sub(access.load(r.u + i), m);
}

// Where the membranes of a tile are: found again from its currents, in `own`, if they were not kept.
template <class R>
HWY_INLINE MembraneRows<R> membranes_of(const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x,
                                        int64_t begin, int64_t w, R* own) {
  if (x.u) return {x.u + begin, x.N};
  const auto threshold = hn::Set(hn::ScalableTag<R>(), c.threshold);
  HWY_ALIGN R m_state[kTile];
  load_state(x.m0, begin, w, m_state);
  const MapRow<R> map(x.map, begin);
  for (int64_t t = 0; t < x.T; ++t) {
    const R* I = x.I + t * x.N + begin;
    R* u_out = own + t * kTile;
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      prefetch_tile(I + i);
      const auto u = charge(c, access.load(m_state + i), map.read(access, I, i));
      access.store(hn::IfThenZeroElse(hn::Gt(u, threshold), u), m_state + i);
      access.store(u, u_out + i);
    });
  }
  return {own, kTile};
}

// Which neurons of a tile are warm, a[t] < warm_below, at steps [first, last): bits.  a has the forward's bits.
constexpr int64_t kWarmSteps = 256;
class WarmRows {
 public:
  // Steps up to `last`, at most kWarmSteps of them.
  template <class R>
  HWY_INLINE void find(const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x,
                       const MembraneRows<R>& membrane, int64_t begin, int64_t w, int64_t last) {
    const hn::ScalableTag<R> d;
    HWY_ALIGN R a_state[kTile];
    load_state(x.a0, begin, w, a_state);
    const auto inv_tau_s = hn::Set(d, c.inv_tau_s), threshold = hn::Set(d, c.threshold),
               one = hn::Set(d, R(1));
    const auto warm_below = hn::Set(d, c.warm_below);
    first_ = HWY_MAX(int64_t{0}, last - kWarmSteps);
    memset(bits_, 0, static_cast<size_t>((last - first_) * kWords) * sizeof(uint64_t));
    for (int64_t t = 0; t < last; ++t) {
      const R* u = membrane.at(t);
      uint64_t* bits = bits_ + (t - first_) * kWords;
      for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
        const auto before = access.load(a_state + i);
        prefetch_tile(u + i);
        const auto s = hn::IfThenElseZero(hn::Gt(access.load(u + i), threshold), one);
        const auto a = hn::Add(before, hn::Mul(hn::Sub(s, before), inv_tau_s));
        access.store(a, a_state + i);
        if (t >= first_) set_bits(d, hn::Lt(a, warm_below), bits, i);
      });
    }
  }
  int64_t first() const { return first_; }
  template <class D>
  HWY_INLINE hn::Mask<D> at(D d, int64_t t, int64_t i) const {
    return bits_at(d, bits_ + (t - first_) * kWords, i);
  }

 private:
  static constexpr int64_t kWords = kTile / 64;
  int64_t first_ = 0;
  HWY_ALIGN uint64_t bits_[kWarmSteps * kWords];
};

template <class R>
void dec2020_tile(const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x, int64_t begin, int64_t w) {
  const hn::ScalableTag<R> d;
  HWY_ALIGN R m0[kTile], A_state[kTile], theta_state[kTile];
  load_state(x.m0, begin, w, m0);
  load_state<R>(nullptr, begin, w, A_state);
  load_state<R>(nullptr, begin, w, theta_state);
  HWY_ALIGN R own[CurrentMap<R>::kSteps * kTile];
  const MembraneRows<R> membrane = membranes_of(c, x, begin, w, own);
  WarmRows warm_rows;
  warm_rows.find(c, x, membrane, begin, w, x.T);
  WindowRows<R> deltas(x.windows, x.delta, x.T, x.N, begin, w);
  const auto inv_tau_m = hn::Set(d, c.inv_tau_m), inv_tau_s = hn::Set(d, c.inv_tau_s);
  const auto leak_m = hn::Set(d, c.leak_m), leak_s = hn::Set(d, c.leak_s);
  const auto threshold = hn::Set(d, c.threshold);
  const auto one = hn::Set(d, R(1)), limit = hn::Set(d, R(kMaxInvDuHead));
  for (int64_t t = x.T - 1; t >= 0; --t) {
    if (t < warm_rows.first()) warm_rows.find(c, x, membrane, begin, w, t + 1);
    const CreditRow<R> r(x, membrane, deltas.at(t), m0, t, begin);
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto u = access.load(r.u + i);
      const auto fired = hn::Gt(u, threshold);
      const auto A =
          hn::Add(hn::Mul(access.load(r.delta + i), inv_tau_s), hn::Mul(leak_s, access.load(A_state + i)));
      prefetch_tile(r.delta + i);
      access.store(A, A_state + i);
      const auto theta = access.load(theta_state + i);
      // Who just fired has a PSP of 1/tau_s and more and is not warm: a division serves both.
      const auto warm = warm_rows.at(d, t, i);
      auto over = one, under = du_at(c, r, access, i);
      if (!hn::AllFalse(d, warm)) {
        auto divisor = one;
        const auto f = sigma_prime(c, u, &divisor);
        over = hn::IfThenElse(warm, f, one);
        under = hn::IfThenElse(warm, divisor, under);
      }
      const auto quotient = hn::Div(over, under);
      const auto inv_du = hn::Min(quotient, limit);
      const auto at_spike = hn::Mul(inv_du, hn::Add(A, hn::Mul(hn::Mul(inv_tau_m, u), theta)));
      const auto e = hn::IfThenElse(fired, at_spike, hn::Mul(leak_m, theta));
      access.store(e, theta_state + i);
      access.store(hn::IfThenElse(warm, hn::Mul(A, quotient), e), r.g + i);
    });
  }
}

// sep2020 (kIntra), jun2020 and the surrogate; kSurrogate: the warm-up branch.
template <bool kIntra, bool kSurrogate, class R>
void credit_2020_tile(const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x, int64_t begin, int64_t w) {
  const hn::ScalableTag<R> d;
  HWY_ALIGN R m0[kTile], A_state[kTile], future_state[kTile];
  load_state(x.m0, begin, w, m0);
  load_state<R>(nullptr, begin, w, A_state);
  load_state<R>(nullptr, begin, w, future_state);
  WindowRows<R> deltas(x.windows, x.delta, x.T, x.N, begin, w);
  HWY_ALIGN R own[CurrentMap<R>::kSteps * kTile];
  const MembraneRows<R> membrane = membranes_of(c, x, begin, w, own);
  const auto threshold = hn::Set(d, c.threshold);
  const auto inv_tau_m = hn::Set(d, c.inv_tau_m), inv_tau_s = hn::Set(d, c.inv_tau_s);
  const auto leak_m = hn::Set(d, c.leak_m), leak_s = hn::Set(d, c.leak_s);
  for (int64_t t = x.T - 1; t >= 0; --t) {
    const CreditRow<R> r(x, membrane, deltas.at(t), m0, t, begin);
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto u = access.load(r.u + i);
      const auto fired = hn::Gt(u, threshold);
      auto delta = access.load(r.delta + i);
      if (kIntra) {
        const auto future = access.load(future_state + i);
        access.store(hn::IfThenElse(fired, delta, hn::Mul(leak_m, future)), future_state + i);
        delta = hn::IfThenElse(fired, hn::Add(delta, hn::Mul(hn::Mul(inv_tau_m, u), future)), delta);
      }
      const auto A = hn::Add(hn::Mul(delta, inv_tau_s), hn::Mul(leak_s, access.load(A_state + i)));
      access.store(A, A_state + i);
      if (kSurrogate) {
        auto divisor = A;
        const auto f = sigma_prime(c, u, &divisor);
        access.store(hn::Mul(A, hn::Div(f, divisor)), r.g + i);
      } else {
        const auto inv_du =
            hn::Min(hn::Div(hn::Set(d, R(1)), du_at(c, r, access, i)), hn::Set(d, R(kMaxInvDu2020)));
        access.store(hn::IfThenElseZero(fired, hn::Mul(inv_du, A)), r.g + i);
      }
    });
  }
}

template <class R>
void credit_tile(TsslVariant variant, const TsslCoefficients<R>& c, const TsslCreditArgs<R>& x, int64_t begin,
                 int64_t w) {
  const bool intra = variant == TsslVariant::sep2020;
  const bool surrogate = variant == TsslVariant::surrogate || x.warm_up;
  if (variant == TsslVariant::dec2020) {
    dec2020_tile(c, x, begin, w);
  } else if (intra) {
    surrogate ? credit_2020_tile<true, true>(c, x, begin, w) : credit_2020_tile<true, false>(c, x, begin, w);
  } else {
    surrogate ? credit_2020_tile<false, true>(c, x, begin, w)
              : credit_2020_tile<false, false>(c, x, begin, w);
  }
}

// What is exported: neurons [begin, end), once per type; only plain functions can be in a dispatch table.
template <class R>
int64_t forward_range(const TsslCoefficients<R>& c, const TsslForwardArgs<R>& x, int64_t begin, int64_t end) {
  int64_t spikes = 0;
  for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR { spikes += forward_tile(c, x, i, w); });
  return spikes;
}
int64_t ForwardF32(const TsslCoefficients<float>& c, const TsslForwardArgs<float>& x, int64_t begin,
                   int64_t end) {
  return forward_range(c, x, begin, end);
}
int64_t ForwardF64(const TsslCoefficients<double>& c, const TsslForwardArgs<double>& x, int64_t begin,
                   int64_t end) {
  return forward_range(c, x, begin, end);
}
void PspF32(const TsslCoefficients<float>& c, const PspScanArgs<float>& x, int64_t begin, int64_t end) {
  for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR { psp_tile(c, x, i, w); });
}
void PspF64(const TsslCoefficients<double>& c, const PspScanArgs<double>& x, int64_t begin, int64_t end) {
  for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR { psp_tile(c, x, i, w); });
}
void AdjointF32(const TsslCoefficients<float>& c, const PspAdjointArgs<float>& x, int64_t begin,
                int64_t end) {
  for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR { psp_adjoint_tile(c, x, i, w); });
}
void AdjointF64(const TsslCoefficients<double>& c, const PspAdjointArgs<double>& x, int64_t begin,
                int64_t end) {
  for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR { psp_adjoint_tile(c, x, i, w); });
}
void CreditF32(TsslVariant v, const TsslCoefficients<float>& c, const TsslCreditArgs<float>& x, int64_t begin,
               int64_t end) {
  for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR { credit_tile(v, c, x, i, w); });
}
void CreditF64(TsslVariant v, const TsslCoefficients<double>& c, const TsslCreditArgs<double>& x,
               int64_t begin, int64_t end) {
  for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR { credit_tile(v, c, x, i, w); });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
