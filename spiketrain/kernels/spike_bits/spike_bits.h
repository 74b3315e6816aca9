// Spikes as bits: packing, unpacking, and sums over windows.  A number of spikes at a site is a bit in each of some planes, the
// lowest first; sites are pixel by pixel with the channels inside, image after image, and the images of a step follow each
// other without a gap: event_conv/event_conv.h, BitMaps.
//
// Errors: none; the caller checks sizes.  Bits: exact.  Tests: equiv/kernel_cases_test.cpp.
#pragma once
#include <cstdint>

#include "spiketrain/kernels/event_conv/event_conv.h"

namespace spiketrain::cpu {

/// Words of a step with this many sites; a packed array has two more behind all planes, so that readers may look beyond.
constexpr int64_t step_words(int64_t sites) { return (sites + 63) / 64; }

/// In plain loops, sites in ascending order: site i of n at step t of an array of one plane.
inline void set_bit(uint64_t* words, int64_t n, int64_t t, int64_t i, bool value) {
  uint64_t& word = words[t * step_words(n) + i / 64];
  word = (i % 64 == 0 ? 0 : word) | uint64_t{value} << i % 64;
}

/// s [T, n] in, 0 <= s < 2^planes.  words [planes, T, step_words(n)] out, the bits behind the last site of a step 0.
/// Returns the sum of s.
int64_t pack_bits(const uint8_t* s, int64_t T, int64_t n, int64_t planes, uint64_t* words);

/// Sites of images [first, last), `sites` each, times `scale`: out [last - first, sites].  V is uint8_t, float or double.
template <class V>
void unpack_bits(const BitMaps& x, int64_t sites, int64_t first, int64_t last, V scale, V* out);

/// Sums over k x k windows with stride k of maps [H,W,C]; rows and columns that do not fill a window are ignored.  y has as many
/// planes as the sums need, its words are written, the bits behind the last site of a step 0.  x has T steps.
struct PoolBits {
  int64_t T = 0, H = 1, W = 1, C = 1, k = 2;
};
void pool_bits(const PoolBits& shape, const BitMaps& x, const BitMaps& y, uint64_t* y_words);

/// The same in plain loops, one thread.
int64_t pack_bits_ref(const uint8_t* s, int64_t T, int64_t n, int64_t planes, uint64_t* words);
template <class V>
void unpack_bits_ref(const BitMaps& x, int64_t sites, int64_t first, int64_t last, V scale, V* out);
void pool_bits_ref(const PoolBits& shape, const BitMaps& x, const BitMaps& y, uint64_t* y_words);

}  // namespace spiketrain::cpu
