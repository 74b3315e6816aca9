// Walking rows of neurons with vectors, compiled once per instruction set, shared by the scans over time:
// whole vectors, then the last few lanes through a small buffer, so that nothing outside the row is touched.
#if defined(SPIKETRAIN_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_ROWS_INL_H
#undef SPIKETRAIN_ROWS_INL_H
#else
#define SPIKETRAIN_ROWS_INL_H
#endif

#include <string.h>

#include <cstdint>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Neurons that are taken through all steps together; their states then stay in L1.
constexpr int64_t kTile = 512;

// The next tile's numbers: the processor follows no row of a tile for long enough to fetch it by itself.
template <class R>
HWY_INLINE void prefetch_tile(const R* p) {
  hwy::Prefetch(p + kTile);
}

HWY_INLINE hn::Vec<hn::ScalableTag<float>> LoadSpikes(hn::ScalableTag<float> d, const uint8_t* p) {
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const hn::Rebind<int32_t, decltype(d)> d32;
  return hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, p)));
}
HWY_INLINE hn::Vec<hn::ScalableTag<double>> LoadSpikes(hn::ScalableTag<double> d, const uint8_t* p) {
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const hn::Rebind<int32_t, decltype(d)> d32;
  return hn::PromoteTo(d, hn::PromoteTo(d32, hn::LoadU(d8, p)));
}
HWY_INLINE void StoreSpikes(hn::ScalableTag<float> d, hn::Vec<hn::ScalableTag<float>> s, uint8_t* p) {
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const hn::Rebind<int32_t, decltype(d)> d32;
  hn::StoreU(hn::DemoteTo(d8, hn::ConvertTo(d32, s)), d8, p);
}
HWY_INLINE void StoreSpikes(hn::ScalableTag<double> d, hn::Vec<hn::ScalableTag<double>> s, uint8_t* p) {
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const hn::Rebind<int32_t, decltype(d)> d32;
  hn::StoreU(hn::DemoteTo(d8, hn::DemoteTo(d32, s)), d8, p);
}

// Bits [at, at + lanes) of a row of words that were 0: the lanes of m.
template <class D>
HWY_INLINE void set_bits(D d, hn::Mask<D> m, uint64_t* words, int64_t at) {
  if constexpr (HWY_MAX_BYTES / sizeof(hn::TFromD<D>) >= 8) {
    hn::StoreMaskBits(d, m, reinterpret_cast<uint8_t*>(words) + at / 8);
  } else {
    uint8_t bits[8] = {};
    hn::StoreMaskBits(d, m, bits);
    words[at / 64] |= uint64_t{bits[0]} << at % 64;
  }
}

// Bits [at, at + lanes) of a row of words, as lanes.
template <class D>
HWY_INLINE hn::Mask<D> bits_at(D d, const uint64_t* words, int64_t at) {
  const uint64_t bits = words[at / 64] >> at % 64;
  alignas(16) uint8_t bytes[16] = {};
  memcpy(bytes, &bits, sizeof(bits));
  return hn::LoadMaskBits(d, bytes);
}

// Memory access of a whole vector.
template <class R>
struct Whole {
  using D = hn::ScalableTag<R>;
  using V = hn::Vec<D>;
  V load(const R* p) const { return hn::LoadU(D(), p); }
  void store(V v, R* p) const { hn::StoreU(v, D(), p); }
  V load_spikes(const uint8_t* p) const { return LoadSpikes(D(), p); }
  void store_spikes(V v, uint8_t* p) const { StoreSpikes(D(), v, p); }
  hn::Mask<D> counted(hn::Mask<D> m) const { return m; }
};

// Memory access of the first n lanes; the others read as zero and are not written or counted.
template <class R>
struct Part {
  using D = hn::ScalableTag<R>;
  using V = hn::Vec<D>;
  size_t n;
  V load(const R* p) const {
    HWY_ALIGN R buffer[HWY_MAX_BYTES / sizeof(R)] = {};
    memcpy(buffer, p, n * sizeof(R));
    return hn::Load(D(), buffer);
  }
  void store(V v, R* p) const {
    HWY_ALIGN R buffer[HWY_MAX_BYTES / sizeof(R)];
    hn::Store(v, D(), buffer);
    memcpy(p, buffer, n * sizeof(R));
  }
  V load_spikes(const uint8_t* p) const {
    uint8_t buffer[HWY_MAX_BYTES / sizeof(R)] = {};
    memcpy(buffer, p, n);
    return LoadSpikes(D(), buffer);
  }
  void store_spikes(V v, uint8_t* p) const {
    uint8_t buffer[HWY_MAX_BYTES / sizeof(R)];
    StoreSpikes(D(), v, buffer);
    memcpy(p, buffer, n);
  }
  hn::Mask<D> counted(hn::Mask<D> m) const { return hn::And(m, hn::FirstN(D(), n)); }
};

// Calls body(access, i) for the vectors of a row of w neurons.
template <class R, class Body>
HWY_INLINE void for_row(int64_t w, const Body& body) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<R>()));
  int64_t i = 0;
  for (; i + lanes <= w; i += lanes) body(Whole<R>(), i);
  if (i < w) body(Part<R>{static_cast<size_t>(w - i)}, i);
}

// Tile buffers are a whole number of vectors long, but a row's tail in them goes through Part as well.
template <class R>
HWY_INLINE void load_state(const R* from, int64_t begin, int64_t w, R* state) {
  if (from) {
    memcpy(state, from + begin, static_cast<size_t>(w) * sizeof(R));
  } else {
    memset(state, 0, static_cast<size_t>(w) * sizeof(R));
  }
}
template <class R>
HWY_INLINE void save_state(const R* state, int64_t begin, int64_t w, R* to) {
  if (to) memcpy(to + begin, state, static_cast<size_t>(w) * sizeof(R));
}

// Calls tile(first neuron, width) over [begin, end).
template <class Tile>
HWY_INLINE void for_tiles(int64_t begin, int64_t end, const Tile& tile) {
  for (int64_t i = begin; i < end; i += kTile) tile(i, end - i < kTile ? end - i : kTile);
}

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
