// Bits to lists of places, compiled once per instruction set.
#if defined(SPIKETRAIN_EVENT_BITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_EVENT_BITS_INL_H
#undef SPIKETRAIN_EVENT_BITS_INL_H
#else
#define SPIKETRAIN_EVENT_BITS_INL_H
#endif

#include <string.h>

#include <cstdint>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Index = hn::ScalableTag<uint16_t>;
constexpr int64_t kIndexLanes = HWY_TARGET == HWY_SCALAR ? 1 : HWY_MAX_BYTES / 2;

// Entries that may be written beyond the end of a list.
constexpr int64_t kSlack = 64;

// At least 57 bits from bit `at` on; what follows them is undefined.
HWY_INLINE uint64_t bits_at(const uint64_t* words, int64_t at) {
  uint64_t bits;
  memcpy(&bits, reinterpret_cast<const char*>(words) + (at >> 3), sizeof(bits));
  return bits >> (at & 7);
}

// All 64.
HWY_INLINE uint64_t word_at(const uint64_t* words, int64_t at) {
  const uint64_t low = bits_at(words, at);
  return (at & 7) == 0 ? low : (low & 0xFFFFFFFF) | bits_at(words, at + 32) << 32;
}

HWY_INLINE uint64_t low_bits(int64_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

// Appends places[i] for every bit i < kIndexLanes of `bits` that is set.  Compressed in a register and stored whole:
// compressing into memory is slow on some machines.
HWY_INLINE uint16_t* emit_vector(uint64_t bits, hn::Vec<Index> places, uint16_t* out) {
#if HWY_TARGET == HWY_SCALAR
  *out = hn::GetLane(places);
  return out + (bits & 1);
#else
  const Index d;
  alignas(16) uint8_t mask[16];
  memcpy(mask, &bits, sizeof(bits));
  hn::StoreU(hn::Compress(places, hn::LoadMaskBits(d, mask)), d, out);
  return out + hwy::PopCount(bits & low_bits(kIndexLanes));
#endif
}

// Appends base + i for every bit i < n of those from bit `at` on, `repeats` times.
HWY_INLINE uint16_t* emit_bits(const uint64_t* words, int64_t at, int64_t n, uint16_t base, uint16_t* out) {
  const Index d;
  auto places = hn::Add(hn::Iota(d, 0), hn::Set(d, base));
  const auto next = hn::Set(d, static_cast<uint16_t>(kIndexLanes));
  int64_t i = 0;
  for (; i + kIndexLanes <= n; i += kIndexLanes) {
    out = emit_vector(bits_at(words, at + i) & low_bits(kIndexLanes), places, out);
    places = hn::Add(places, next);
  }
  if (i < n) out = emit_vector(bits_at(words, at + i) & low_bits(n - i), places, out);
  return out;
}

// Appends places[i] for every bit i of `bits`; places holds 64.
HWY_INLINE uint16_t* emit_places(uint64_t bits, const uint16_t* places, uint16_t* out) {
  const Index d;
  for (int64_t i = 0; i < 64; i += kIndexLanes)
    out = emit_vector(bits >> i & low_bits(kIndexLanes), hn::LoadU(d, places + i), out);
  return out;
}

// out[i] = in[i] + base for i < n; writes whole vectors, and one even if n is 0: most lists are short, and a guess about that
// costs more than a vector.
HWY_INLINE uint16_t* copy_events(const uint16_t* in, int64_t n, uint16_t base, uint16_t* out) {
  const Index d;
  const auto b = hn::Set(d, base);
  int64_t i = 0;
  do {
    hn::StoreU(hn::Add(hn::LoadU(d, in + i), b), d, out + i);
    i += kIndexLanes;
  } while (i < n);
  return out + n;
}

// 64 rows of 64 bits to 64 columns: bit r of columns[c] is bit c of row r.  row(r) is called once for each.
// Bytes move in three rounds of exchanges between words, a distance of 32, 16 and 8 apart; then a column is one bit of each of
// 64 bytes.  Row 8i + b begins in place i + 8b, so that the bytes come out in the order of the rows.
template <class Row>
HWY_INLINE void transpose_bits(const Row& row, uint64_t* columns) {
#if HWY_TARGET == HWY_SCALAR
  for (int c = 0; c < 64; ++c) columns[c] = 0;
  for (int r = 0; r < 64; ++r) {
    const uint64_t bits = row(r);
    for (int c = 0; c < 64; ++c) columns[c] |= (bits >> c & 1) << r;
  }
#else
  HWY_ALIGN uint64_t words[64];
  for (int i = 0; i < 8; ++i) {
    for (int b = 0; b < 8; ++b) words[i + 8 * b] = row(8 * i + b);
  }
  const hn::CappedTag<uint64_t, 8> d;
  const auto exchange = [&](int distance, int shift, uint64_t low) HWY_ATTR {
    const auto mask = hn::Set(d, low);
    for (int first = 0; first < 64; first += 2 * distance) {
      for (int k = first; k < first + distance; k += static_cast<int>(hn::Lanes(d))) {
        auto a = hn::Load(d, words + k), b = hn::Load(d, words + k + distance);
        // The high half of a and the low half of b change places.
        const auto t = hn::And(hn::Xor(hn::ShiftRightSame(a, shift), b), mask);
        hn::Store(hn::Xor(b, t), d, words + k + distance);
        hn::Store(hn::Xor(a, hn::ShiftLeftSame(t, shift)), d, words + k);
      }
    }
  };
  exchange(32, 32, 0x00000000FFFFFFFF);
  exchange(16, 16, 0x0000FFFF0000FFFF);
  exchange(8, 8, 0x00FF00FF00FF00FF);
  const hn::CappedTag<uint8_t, 64> d8;
  constexpr int kBytes = HWY_MIN(64, HWY_MAX_BYTES);
  for (int j = 0; j < 8; ++j) {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(words + 8 * j);
    for (int bit = 0; bit < 8; ++bit) {
      const auto test = hn::Set(d8, static_cast<uint8_t>(1 << bit));
      uint8_t* out = reinterpret_cast<uint8_t*>(columns + 8 * j + bit);
      for (int i = 0; i < 64; i += kBytes)
        hn::StoreMaskBits(d8, hn::TestBit(hn::Load(d8, bytes + i), test), out + i / 8);
    }
  }
#endif
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
