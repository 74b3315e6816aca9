// LIF scans, vector body, compiled once per instruction set; contract and equations in lif_scan.h.
// A tile of kTile neurons is walked through all steps, so that states, and the row of surrogate derivatives
// that the adjoint needs, stay in L1; the surrogate is chosen once per row.
//
// Only mul and add, never a fused multiply-add: the bits must be those of lif_scan_ref.cpp.
#if defined(SPIKETRAIN_LIF_SCAN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_LIF_SCAN_INL_H
#undef SPIKETRAIN_LIF_SCAN_INL_H
#else
#define SPIKETRAIN_LIF_SCAN_INL_H
#endif

#include <type_traits>

#include "hwy/highway.h"
#include "spiketrain/kernels/current_map-inl.h"
#include "spiketrain/kernels/lif_scan/coefficients.h"
#include "spiketrain/kernels/rows-inl.h"
#include "spiketrain/kernels/surrogate-inl.h"
#include "spiketrain/kernels/windows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {  // the namespaces above are shared with the other kernels
namespace hn = hwy::HWY_NAMESPACE;

// The neuron's equations on vectors.
template <LifReset kReset, bool kDelayed, class R>
struct Lanes {
  using D = hn::ScalableTag<R>;
  using V = hn::Vec<D>;
  using M = hn::Mask<D>;
  D d;
  const V leak, gain, rest, threshold, drop, v_reset, reset_slope, zero;
  const bool strict, detach_reset, no_slope, raised;

  explicit HWY_INLINE Lanes(const LifCoefficients<R>& c)
      : leak(hn::Set(d, c.leak)),
        gain(hn::Set(d, c.gain)),
        rest(hn::Set(d, c.rest)),
        threshold(hn::Set(d, c.threshold)),
        drop(hn::Set(d, c.drop)),
        v_reset(hn::Set(d, c.v_reset)),
        reset_slope(hn::Set(d, c.reset_slope)),
        zero(hn::Zero(d)),
        strict(c.strict),
        detach_reset(c.detach_reset),
        no_slope(c.reset_slope == R(0)),
        raised(c.raised) {}

  HWY_INLINE M fires(V y) const { return strict ? hn::Gt(y, zero) : hn::Ge(y, zero); }
  HWY_INLINE V reset(V u, M s) const {
    if (kReset == LifReset::soft_decayed) return hn::IfThenElse(s, hn::Sub(u, drop), u);
    if (kReset == LifReset::hard) return hn::IfThenElse(s, v_reset, u);
    return u;
  }
  // What leaks: b of the contract.
  HWY_INLINE V before(V z) const { return kDelayed ? reset(z, fires(hn::Sub(z, threshold))) : z; }
  // Distance to the threshold.
  HWY_INLINE V distance(V u, V z) const {
    if (kReset == LifReset::soft_decayed && !kDelayed && raised) {
      u = hn::Sub(u, hn::IfThenElseZero(fires(hn::Sub(z, threshold)), threshold));
    }
    return hn::Sub(u, threshold);
  }
  HWY_INLINE V charge(V z, V I) const {
    V carried = hn::Mul(leak, before(z));
    if (kReset == LifReset::soft) {
      carried = hn::IfThenElse(fires(hn::Sub(z, threshold)), hn::Sub(carried, drop), carried);
    }
    return hn::Add(hn::Add(carried, hn::Mul(gain, I)), rest);
  }
  // dL/du through the state: G = dL/dz already leaked, except h itself for soft.
  HWY_INLINE V through_reset(V u, M s, V derivative, V G) const {
    V direct = G, through = hn::Mul(hn::Neg(drop), G);
    if (kReset == LifReset::none) return G;
    if (kReset == LifReset::soft) direct = hn::Mul(leak, G);
    if (kReset == LifReset::hard) {
      direct = hn::IfThenZeroElse(s, G);
      through = hn::Mul(hn::Sub(v_reset, u), G);
    }
    if (detach_reset) {
      if (no_slope) return direct;
      through = hn::Mul(reset_slope, G);
    }
    return hn::Add(direct, hn::Mul(derivative, through));
  }
  HWY_INLINE V leaked(V h) const { return kReset == LifReset::soft ? h : hn::Mul(leak, h); }
};

template <LifReset kReset, bool kDelayed, class R>
int64_t forward_tile(const LifCoefficients<R>& c, const LifForwardArgs<R>& x, int64_t begin, int64_t w) {
  const hn::ScalableTag<R> d;
  const Lanes<kReset, kDelayed, R> lanes(c);
  const auto one = hn::Set(d, R(1));
  HWY_ALIGN R z_state[kTile];
  load_state(x.z0, begin, w, z_state);
  const MapRow<R> map(x.map, begin);
  const int64_t words = (x.N + 63) / 64, tile_words = (w + 63) / 64;
  int64_t spikes = 0;
  for (int64_t t = 0; t < x.T; ++t) {
    const int64_t row = t * x.N + begin;
    const R* I = x.constant ? x.I + begin : x.I + row;
    uint8_t* s_out = x.s ? x.s + row : nullptr;
    uint64_t* bits = x.bits ? x.bits + t * words + begin / 64 : nullptr;
    if (bits) memset(bits, 0, static_cast<size_t>(tile_words) * sizeof(uint64_t));
    R* a_out = x.a ? x.a + row : nullptr;
    R* u_out = x.u ? x.u + row : nullptr;
    R* psi_out = x.psi ? x.psi + row : nullptr;
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto z = access.load(z_state + i);
      prefetch_tile(I + i);
      const auto u = lanes.charge(z, map.read(access, I, i));
      const auto y = lanes.distance(u, z);
      const auto fired = lanes.fires(y);
      const auto s = hn::IfThenElseZero(fired, one);
      access.store(kDelayed ? u : lanes.reset(u, fired), z_state + i);
      const auto counted = access.counted(fired);
      spikes += static_cast<int64_t>(hn::CountTrue(d, counted));
      if (s_out) access.store_spikes(s, s_out + i);
      if (bits) set_bits(d, counted, bits, i);
      if (a_out) access.store(s, a_out + i);
      if (u_out) access.store(u, u_out + i);
      if (psi_out) access.store(y, psi_out + i);
    });
    if (psi_out) surrogate_row(c.psi, psi_out, w);
  }
  save_state(z_state, begin, w, x.z1);
  return spikes;
}

// Row t of a tile, and where the state before it is to be found.
template <LifReset kReset, bool kDelayed, class R>
struct AdjointRow {
  const R* u;
  const uint8_t* s;
  const R* u_before;        // null at step 0
  const uint8_t* s_before;  // null at step 0
  const R* z0;              // used at step 0
  AdjointRow(const LifAdjointArgs<R>& x, const MembraneRows<R>& membrane, const R* z0, int64_t t,
             int64_t begin)
      : u(membrane.at(t)),
        s(x.s ? x.s + t * x.N + begin : nullptr),
        u_before(t > 0 ? membrane.at(t - 1) : nullptr),
        s_before(t > 0 && s ? s - x.N : nullptr),
        z0(z0) {}

  // Whether a neuron fired whose membrane was u; without spikes it follows from that, in the forward's operations.
  template <class Access>
  HWY_INLINE auto fired(const Lanes<kReset, kDelayed, R>& lanes, const Access& access, const uint8_t* spikes,
                        hn::Vec<hn::ScalableTag<R>> membrane, int64_t i) const {
    return spikes ? hn::Ne(access.load_spikes(spikes + i), lanes.zero)
                  : lanes.fires(hn::Sub(membrane, lanes.threshold));
  }

  // b of the contract.
  template <class Access>
  HWY_INLINE auto before(const Lanes<kReset, kDelayed, R>& lanes, const Access& access, int64_t i) const {
    if (!u_before) return lanes.before(access.load(z0 + i));
    const auto membrane = access.load(u_before + i);
    return lanes.reset(membrane, fired(lanes, access, s_before, membrane, i));
  }
};

// derivative[i] = surrogate'(y) of row r.
template <LifReset kReset, bool kDelayed, class R>
HWY_INLINE void derivative_row(const LifCoefficients<R>& c, const Lanes<kReset, kDelayed, R>& lanes,
                               const AdjointRow<kReset, kDelayed, R>& r, int64_t w, R* derivative) {
  for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
    const auto u = access.load(r.u + i);
    prefetch_tile(r.u + i);
    access.store(lanes.distance(u, c.raised ? r.before(lanes, access, i) : u), derivative + i);
  });
  surrogate_row(c.surrogate, derivative, w);
}

// dL/d(state before the window) from h = dL/du[0].
template <LifReset kReset, bool kDelayed, class R>
HWY_INLINE void state_adjoint(const LifCoefficients<R>& c, const Lanes<kReset, kDelayed, R>& lanes,
                              const R* z0, const R* h, int64_t w, R* derivative, R* g_in) {
  if (kDelayed) {
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      access.store(hn::Sub(access.load(z0 + i), lanes.threshold), derivative + i);
    });
    surrogate_row(c.surrogate, derivative, w);
  }
  for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
    const auto G = lanes.leaked(access.load(h + i));
    if (!kDelayed) {
      access.store(G, g_in + i);
      return;
    }
    const auto z = access.load(z0 + i);
    const auto fired = lanes.fires(hn::Sub(z, lanes.threshold));
    access.store(lanes.through_reset(z, fired, access.load(derivative + i), G), g_in + i);
  });
}

// The membranes of a tile from its currents, as the forward computed them.
template <LifReset kReset, bool kDelayed, class R>
HWY_INLINE void find_membranes(const Lanes<kReset, kDelayed, R>& lanes, const LifAdjointArgs<R>& x,
                               int64_t begin, int64_t w, R* membranes) {
  HWY_ALIGN R z_state[kTile];
  load_state(x.z0, begin, w, z_state);
  const MapRow<R> map(x.map, begin);
  for (int64_t t = 0; t < x.T; ++t) {
    const R* I = x.I + t * x.N + begin;
    R* u_out = membranes + t * kTile;
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto z = access.load(z_state + i);
      prefetch_tile(I + i);
      const auto u = lanes.charge(z, map.read(access, I, i));
      access.store(kDelayed ? u : lanes.reset(u, lanes.fires(lanes.distance(u, z))), z_state + i);
      access.store(u, u_out + i);
    });
  }
}

template <LifReset kReset, bool kDelayed, class R>
double adjoint_tile(const LifCoefficients<R>& c, const LifAdjointArgs<R>& x, int64_t begin, int64_t w) {
  const Lanes<kReset, kDelayed, R> lanes(c);
  HWY_ALIGN R z0[kTile], h_state[kTile], derivative[kTile], leak_sum[kTile];
  load_state(x.z0, begin, w, z0);
  load_state(x.g_out, begin, w, h_state);
  load_state<R>(nullptr, begin, w, leak_sum);
  const auto v_rest = hn::Set(lanes.d, c.v_rest), gain_tie = hn::Set(lanes.d, c.gain_tie);
  const bool tied = c.gain_tie != R(0);
  WindowRows<R> deltas(x.windows, x.delta, x.T, x.N, begin, w);
  HWY_ALIGN R own[CurrentMap<R>::kSteps * kTile];
  if (!x.u) find_membranes(lanes, x, begin, w, own);
  const MembraneRows<R> membrane = x.u ? MembraneRows<R>{x.u + begin, x.N} : MembraneRows<R>{own, kTile};
  for (int64_t t = x.T - 1; t >= 0; --t) {
    const AdjointRow<kReset, kDelayed, R> r(x, membrane, z0, t, begin);
    const R* delta = deltas.at(t);
    const R* I = x.I ? x.I + t * x.N + begin : nullptr;
    R* g = x.g + t * x.N + begin;
    const bool last = t == x.T - 1;
    derivative_row(c, lanes, r, w, derivative);
    for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
      const auto u = access.load(r.u + i);
      const auto fired = r.fired(lanes, access, r.s, u, i);
      const auto psi = access.load(derivative + i);
      auto carried = access.load(h_state + i);
      if (!last) carried = lanes.leaked(carried);
      if (!(last && kDelayed)) carried = lanes.through_reset(u, fired, psi, carried);
      prefetch_tile(delta + i);
      const auto h = hn::Add(hn::Mul(psi, access.load(delta + i)), carried);
      access.store(h, h_state + i);
      access.store(hn::Mul(lanes.gain, h), g + i);
      if (x.want_leak) {
        auto factor = hn::Sub(r.before(lanes, access, i), v_rest);
        if (tied) factor = hn::Sub(factor, hn::Mul(gain_tie, access.load(I + i)));
        access.store(hn::Add(access.load(leak_sum + i), hn::Mul(h, factor)), leak_sum + i);
      }
    });
  }
  if (x.g_in) state_adjoint(c, lanes, z0, h_state, w, derivative, x.g_in + begin);
  double g_leak = 0;
  if (x.want_leak) {
    for (int64_t i = 0; i < w; ++i) g_leak += static_cast<double>(leak_sum[i]);
  }
  return g_leak;
}

// Calls f with the reset and the delay as compile-time constants.
template <class R, class F>
HWY_INLINE auto with_reset(const LifCoefficients<R>& c, const F& f) {
  using Yes = std::true_type;
  using No = std::false_type;
  switch (c.reset) {
    case LifReset::soft_decayed: {
      const std::integral_constant<LifReset, LifReset::soft_decayed> reset;
      return c.delayed ? f(reset, Yes()) : f(reset, No());
    }
    case LifReset::hard: {
      const std::integral_constant<LifReset, LifReset::hard> reset;
      return c.delayed ? f(reset, Yes()) : f(reset, No());
    }
    case LifReset::soft:
      return f(std::integral_constant<LifReset, LifReset::soft>(), Yes());
    default:
      return f(std::integral_constant<LifReset, LifReset::none>(), No());
  }
}

// What is exported: neurons [begin, end), once per type; only plain functions can be in a dispatch table.
template <class R>
int64_t forward(const LifCoefficients<R>& c, const LifForwardArgs<R>& x, int64_t begin, int64_t end) {
  return with_reset(c, [&](auto reset, auto delayed) HWY_ATTR {
    int64_t spikes = 0;
    for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR {
      spikes += forward_tile<decltype(reset)::value, decltype(delayed)::value>(c, x, i, w);
    });
    return spikes;
  });
}
template <class R>
double adjoint(const LifCoefficients<R>& c, const LifAdjointArgs<R>& x, int64_t begin, int64_t end) {
  return with_reset(c, [&](auto reset, auto delayed) HWY_ATTR {
    double g_leak = 0;
    for_tiles(begin, end, [&](int64_t i, int64_t w) HWY_ATTR {
      g_leak += adjoint_tile<decltype(reset)::value, decltype(delayed)::value>(c, x, i, w);
    });
    return g_leak;
  });
}

int64_t LifForwardF32(const LifCoefficients<float>& c, const LifForwardArgs<float>& x, int64_t begin,
                      int64_t end) {
  return forward(c, x, begin, end);
}
int64_t LifForwardF64(const LifCoefficients<double>& c, const LifForwardArgs<double>& x, int64_t begin,
                      int64_t end) {
  return forward(c, x, begin, end);
}
double LifAdjointF32(const LifCoefficients<float>& c, const LifAdjointArgs<float>& x, int64_t begin,
                     int64_t end) {
  return adjoint(c, x, begin, end);
}
double LifAdjointF64(const LifCoefficients<double>& c, const LifAdjointArgs<double>& x, int64_t begin,
                     int64_t end) {
  return adjoint(c, x, begin, end);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
