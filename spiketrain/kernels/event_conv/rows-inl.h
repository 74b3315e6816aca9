// Sums of rows in registers, and the layout of weights that makes rows of them.
#if defined(SPIKETRAIN_EVENT_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_EVENT_ROWS_INL_H
#undef SPIKETRAIN_EVENT_ROWS_INL_H
#else
#define SPIKETRAIN_EVENT_ROWS_INL_H
#endif

#include "spiketrain/kernels/event_conv/bits-inl.h"
#include "spiketrain/kernels/event_conv/event_conv.h"
#include "spiketrain/kernels/floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

// Registers for sums: all but those that addresses, constants and a row need.
constexpr int kSums = HWY_TARGET == HWY_SCALAR ? 8 : kLanes == 16 || HWY_ARCH_ARM ? 27 : 13;

// kV vectors of each of kP tiles.
template <int kV, int kP>
struct Sums {
  VF v[kP][kV];

  HWY_INLINE void clear() {
    for (int p = 0; p < kP; ++p) {
      for (int i = 0; i < kV; ++i) v[p][i] = hn::Zero(Float());
    }
  }
  HWY_INLINE void add(const float* const* tile, size_t row) {
    for (int p = 0; p < kP; ++p) {
      for (int i = 0; i < kV; ++i)
        v[p][i] = hn::Add(v[p][i], hn::Load(Float(), tile[p] + row + static_cast<size_t>(i) * kLanes));
    }
  }
  HWY_INLINE void add(const Sums& other) {
    for (int p = 0; p < kP; ++p) {
      for (int i = 0; i < kV; ++i) v[p][i] = hn::Add(v[p][i], other.v[p][i]);
    }
  }
  // The first n numbers at `from`; the others read as zero.
  HWY_INLINE void load(const float* from, int64_t n) {
    for (int k = 0; k < kP * kV; ++k, from += kLanes, n -= kLanes) {
      VF& to = v[k / kV][k % kV];
      if (n >= kLanes) {
        to = hn::LoadU(Float(), from);
      } else if (n <= 0) {
        to = hn::Zero(Float());
      } else {
        to = load_part(from, n);
      }
    }
  }
  // The first n numbers.
  HWY_INLINE void store(float* to, int64_t n) const {
    for (int k = 0; k < kP * kV; ++k, to += kLanes, n -= kLanes) {
      if (n >= kLanes) {
        hn::StoreU(v[k / kV][k % kV], Float(), to);
      } else if (n > 0) {
        store_part(v[k / kV][k % kV], to, n);
      }
    }
  }
};

// Calls f with the number of tiles that are worked on together as a constant: as many as are left, up to kMost.
template <int kMost, class F>
HWY_INLINE void with_tiles(int64_t left, const F& f) {
  if constexpr (kMost >= 4) {
    if (left >= 4) return f(std::integral_constant<int, 4>());
  }
  if constexpr (kMost >= 3) {
    if (left >= 3) return f(std::integral_constant<int, 3>());
  }
  if constexpr (kMost >= 2) {
    if (left >= 2) return f(std::integral_constant<int, 2>());
  }
  f(std::integral_constant<int, 1>());
}

// One or two vectors in a tile: two unless half of the last one would be empty.
HWY_INLINE bool two_vectors(int64_t O) {
  const int64_t left = O % (2 * kLanes);
  return left == 0 || left > kLanes;
}
HWY_INLINE int64_t tile_lanes(int64_t O) { return two_vectors(O) ? 2 * kLanes : kLanes; }
HWY_INLINE int64_t tile_count(int64_t O) { return (O + tile_lanes(O) - 1) / tile_lanes(O); }

// Calls move(j, rows, columns, o, outs) for blocks of W [O, C*taps]: columns [j, j + columns) of W, four or what is left, which
// begin at rows[0..columns) in memory, and `outs` output channels from o on, of [first, end).  Few columns at a time, so that
// the rows stay in L1.
template <class Row, class Move>
HWY_INLINE void for_blocks(const EventConvShape& s, int64_t first, int64_t end, int64_t pitch, const Row& row,
                           const Move& move) {
  constexpr int64_t kColumns = 64;
  const int64_t all = s.C * s.taps();
  for (int64_t j0 = 0; j0 < all; j0 += kColumns) {
    int64_t rows[kColumns];
    const int64_t count = HWY_MIN(kColumns, all - j0);
    for (int64_t j = 0; j < count; ++j) rows[j] = row((j0 + j) / s.taps(), (j0 + j) % s.taps()) * pitch;
    for (int64_t o = first; o < end; o += 4) {
      for (int64_t j = 0; j < count; j += 4)
        move(j0 + j, rows + j, HWY_MIN(int64_t{4}, count - j), o, HWY_MIN(int64_t{4}, end - o));
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
using Four = hn::FixedTag<float, 4>;
struct Block {
  hn::Vec<Four> v[4];
  HWY_INLINE void transpose() {
    const Four d;
    const hn::Repartition<uint64_t, Four> d64;
    const auto pair = [&](hn::Vec<Four> a, hn::Vec<Four> b, bool upper) HWY_ATTR {
      const auto x = hn::BitCast(d64, a), y = hn::BitCast(d64, b);
      return hn::BitCast(d, upper ? hn::InterleaveUpper(d64, x, y) : hn::InterleaveLower(d64, x, y));
    };
    const auto low01 = hn::InterleaveLower(d, v[0], v[1]), high01 = hn::InterleaveUpper(d, v[0], v[1]);
    const auto low23 = hn::InterleaveLower(d, v[2], v[3]), high23 = hn::InterleaveUpper(d, v[2], v[3]);
    v[0] = pair(low01, low23, false);
    v[1] = pair(low01, low23, true);
    v[2] = pair(high01, high23, false);
    v[3] = pair(high01, high23, true);
  }
};
#endif

// W [O,C,taps] times scale to rows of tile t: to[row(c, tap)*lanes + o], o < lanes.
template <class Row>
HWY_INLINE void pack_tile(const EventConvShape& s, const float* W, float scale, int64_t t, float* to,
                          const Row& row) {
  const int64_t lanes = tile_lanes(s.O), all = s.C * s.taps(), channels = HWY_MIN(lanes, s.O - t * lanes);
  if (channels < lanes) memset(to, 0, static_cast<size_t>(all * lanes) * sizeof(float));
  for_blocks(s, t * lanes, t * lanes + channels, lanes, row,
             [&](int64_t j, const int64_t* rows, int64_t columns, int64_t o, int64_t outs) HWY_ATTR {
               const float* from = W + o * all + j;
               float* const at = to + (o - t * lanes);
#if HWY_TARGET != HWY_SCALAR
               if (columns == 4 && outs == 4) {
                 const auto factor = hn::Set(Four(), scale);
                 Block block;
                 for (int i = 0; i < 4; ++i) block.v[i] = hn::Mul(hn::LoadU(Four(), from + i * all), factor);
                 block.transpose();
                 for (int i = 0; i < 4; ++i) hn::StoreU(block.v[i], Four(), at + rows[i]);
                 return;
               }
#endif
               for (int64_t i = 0; i < columns; ++i) {
                 for (int64_t k = 0; k < outs; ++k) at[rows[i] + k] = from[k * all + i] * scale;
               }
             });
}
// The way back: from[row(c, tap)*pitch + o - first] times scale to dW, for output channels [first, end).
template <class Row>
HWY_INLINE void unpack_rows(const EventConvShape& s, const float* from, float scale, int64_t first,
                            int64_t end, int64_t pitch, float* dW, const Row& row) {
  const int64_t all = s.C * s.taps();
  for_blocks(s, first, end, pitch, row,
             [&](int64_t j, const int64_t* rows, int64_t columns, int64_t o, int64_t outs) HWY_ATTR {
               float* const to = dW + o * all + j;
               const float* const at = from + (o - first);
#if HWY_TARGET != HWY_SCALAR
               if (columns == 4 && outs == 4) {
                 const auto factor = hn::Set(Four(), scale);
                 Block block;
                 for (int i = 0; i < 4; ++i) block.v[i] = hn::Mul(hn::LoadU(Four(), at + rows[i]), factor);
                 block.transpose();
                 for (int i = 0; i < 4; ++i) hn::StoreU(block.v[i], Four(), to + i * all);
                 return;
               }
#endif
               for (int64_t i = 0; i < columns; ++i) {
                 for (int64_t k = 0; k < outs; ++k) to[k * all + i] = at[rows[i] + k] * scale;
               }
             });
}

// Row of weights: the tap, then the channel.
struct GatherRow {
  int64_t C;
  HWY_INLINE int64_t operator()(int64_t c, int64_t tap) const { return tap * C + c; }
};

// A part of the workspace after the other, each aligned to a cache line.
struct Carver {
  char* at;
  template <class V>
  V* take(int64_t n) {
    V* const here = reinterpret_cast<V*>(at);
    at += (n * static_cast<int64_t>(sizeof(V)) + 63) / 64 * 64;
    return here;
  }
};

// Spikes of channels [c0, c0 + n) of a pixel at bit `at` of the first plane, as base + channel - c0.
HWY_INLINE uint16_t* emit_sites(const BitMaps& x, int64_t at, int64_t n, uint16_t base, uint16_t* out) {
  for (int64_t p = 0; p < x.planes; ++p, at += x.plane_bits) {
    for (int64_t i = 0; i < int64_t{1} << p; ++i) out = emit_bits(x.words, at, n, base, out);
  }
  return out;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
