// Spikes as bits: choice of the instruction set, and threads; contract in spike_bits.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spiketrain/kernels/spike_bits/spike_bits.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/spike_bits/spike_bits-inl.h"

#if HWY_ONCE
#include <numeric>
#include <type_traits>

#include "spiketrain/kernels/isa.h"
#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {

HWY_EXPORT(PackBits);
HWY_EXPORT(UnpackU8);
HWY_EXPORT(UnpackF32);
HWY_EXPORT(UnpackF64);
HWY_EXPORT(Pool);

namespace {

constexpr int64_t kSites = 1 << 15;  ///< of a thread's piece of work

}  // namespace

int64_t pack_bits(const uint8_t* s, int64_t T, int64_t n, int64_t planes, uint64_t* words) {
  select_isa();
  return sum_over_chunks<int64_t>(T * step_words(n), kSites / 64, [&](int64_t begin, int64_t end) {
    return HWY_DYNAMIC_DISPATCH(PackBits)(s, T, n, planes, begin, end, words);
  });
}

template <class V>
void unpack_bits(const BitMaps& x, int64_t sites, int64_t first, int64_t last, V scale, V* out) {
  if (first == last || sites == 0) return;
  select_isa();
  const int64_t pieces = (sites + kSites - 1) / kSites;
  for_chunks((last - first) * pieces, std::max<int64_t>(1, kSites / sites), [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t image = first + i / pieces, begin = i % pieces * kSites,
                    end = std::min(sites, begin + kSites);
      V* const at = out + i / pieces * sites;
      if constexpr (std::is_same_v<V, uint8_t>)
        HWY_DYNAMIC_DISPATCH(UnpackU8)(x, image, begin, end, scale, at);
      else if constexpr (std::is_same_v<V, float>)
        HWY_DYNAMIC_DISPATCH(UnpackF32)(x, image, begin, end, scale, at);
      else
        HWY_DYNAMIC_DISPATCH(UnpackF64)(x, image, begin, end, scale, at);
    }
  });
}

template void unpack_bits<uint8_t>(const BitMaps&, int64_t, int64_t, int64_t, uint8_t, uint8_t*);
template void unpack_bits<float>(const BitMaps&, int64_t, int64_t, int64_t, float, float*);
template void unpack_bits<double>(const BitMaps&, int64_t, int64_t, int64_t, double, double*);

void pool_bits(const PoolBits& shape, const BitMaps& x, const BitMaps& y, uint64_t* y_words) {
  if (y.plane_bits == 0) return;
  select_isa();
  // Pieces of a step that begin with a word: their words are their own.
  const int64_t images = y.images_per_step, whole = 64 / std::gcd(y.image_bits, int64_t{64});
  const int64_t each = whole * std::max<int64_t>(1, kSites / std::max<int64_t>(1, whole * x.image_bits));
  const int64_t pieces = (images + each - 1) / each;
  for_chunks(shape.T * pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t step = k / pieces * images, first = k % pieces * each;
      HWY_DYNAMIC_DISPATCH(Pool)(shape, x, y, step + first, step + std::min(images, first + each), y_words);
    }
  });
}

}  // namespace spiketrain::cpu
#endif  // HWY_ONCE
