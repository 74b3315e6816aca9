// Spikes as bits in plain loops; contract in spike_bits.h.
#include "spiketrain/kernels/spike_bits/spike_bits.h"

namespace spiketrain::cpu {
namespace {

bool bit_of(const uint64_t* words, int64_t bit) { return (words[bit / 64] >> (bit % 64) & 1) != 0; }

int64_t value_of(const BitMaps& x, int64_t image, int64_t site) {
  int64_t value = 0;
  for (int64_t p = 0; p < x.planes; ++p)
    value += static_cast<int64_t>(bit_of(x.words, x.begin(p, image) + site)) << p;
  return value;
}

}  // namespace

int64_t pack_bits_ref(const uint8_t* s, int64_t T, int64_t n, int64_t planes, uint64_t* words) {
  const int64_t each = step_words(n);
  int64_t total = 0;
  for (int64_t w = 0; w < planes * T * each; ++w) words[w] = 0;
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t i = 0; i < n; ++i) {
      const uint64_t value = s[t * n + i];
      for (int64_t p = 0; p < planes; ++p) words[(p * T + t) * each + i / 64] |= (value >> p & 1) << i % 64;
      total += static_cast<int64_t>(value);
    }
  }
  return total;
}

template <class V>
void unpack_bits_ref(const BitMaps& x, int64_t sites, int64_t first, int64_t last, V scale, V* out) {
  for (int64_t n = first; n < last; ++n) {
    for (int64_t i = 0; i < sites; ++i) *out++ = static_cast<V>(static_cast<V>(value_of(x, n, i)) * scale);
  }
}
template void unpack_bits_ref<uint8_t>(const BitMaps&, int64_t, int64_t, int64_t, uint8_t, uint8_t*);
template void unpack_bits_ref<float>(const BitMaps&, int64_t, int64_t, int64_t, float, float*);
template void unpack_bits_ref<double>(const BitMaps&, int64_t, int64_t, int64_t, double, double*);

void pool_bits_ref(const PoolBits& s, const BitMaps& x, const BitMaps& y, uint64_t* y_words) {
  for (int64_t w = 0; w < y.planes * y.plane_bits / 64; ++w) y_words[w] = 0;
  const int64_t height = s.H / s.k, width = s.W / s.k;
  for (int64_t n = 0; n < s.T * x.images_per_step; ++n) {
    for (int64_t site = 0; site < height * width * s.C; ++site) {
      const int64_t oy = site / s.C / width, ox = site / s.C % width;
      int64_t sum = 0;
      for (int64_t k = 0; k < s.k * s.k; ++k)
        sum += value_of(x, n, ((oy * s.k + k / s.k) * s.W + ox * s.k + k % s.k) * s.C + site % s.C);
      for (int64_t p = 0; p < y.planes; ++p) {
        const int64_t bit = y.begin(p, n) + site;
        y_words[bit / 64] |= static_cast<uint64_t>(sum >> p & 1) << bit % 64;
      }
    }
  }
}

}  // namespace spiketrain::cpu
