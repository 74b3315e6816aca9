// Bits to numbers and back, compiled once per instruction set; contract in spike_bits.h.
#if defined(SPIKETRAIN_SPIKE_BITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_SPIKE_BITS_INL_H
#undef SPIKETRAIN_SPIKE_BITS_INL_H
#else
#define SPIKETRAIN_SPIKE_BITS_INL_H
#endif

#include "spiketrain/kernels/event_conv/bits-inl.h"
#include "spiketrain/kernels/spike_bits/spike_bits.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE uint64_t pack_word(const uint8_t* s, int64_t n, uint8_t plane) {
#if HWY_TARGET != HWY_SCALAR
  if (n == 64) {
    const hn::CappedTag<uint8_t, 64> d;
    const auto test = hn::Set(d, plane);
    uint64_t word = 0;
    auto* bytes = reinterpret_cast<uint8_t*>(&word);
    for (size_t i = 0; i < 64; i += hn::Lanes(d))
      hn::StoreMaskBits(d, hn::TestBit(hn::LoadU(d, s + i), test), bytes + i / 8);
    return word;
  }
#endif
  uint64_t word = 0;
  for (int64_t i = 0; i < n; ++i) word |= static_cast<uint64_t>((s[i] & plane) != 0) << i;
  return word;
}

#if HWY_TARGET != HWY_SCALAR
// Vectors of numbers where bits are set.
template <class V>
HWY_INLINE hn::Vec<hn::ScalableTag<V>> where_set(uint64_t bits, hn::Vec<hn::ScalableTag<V>> value) {
  const hn::ScalableTag<V> d;
  alignas(16) uint8_t mask[16];
  memcpy(mask, &bits, sizeof(bits));
  return hn::IfThenElseZero(hn::LoadMaskBits(d, mask), value);
}
#endif

// Sites [begin, end) of an image.
template <class V>
HWY_INLINE void unpack_sites(const BitMaps& x, int64_t image, int64_t begin, int64_t end, V scale, V* out) {
  int64_t i = begin;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<V> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t at = x.begin(0, image);
  for (; i + lanes <= end; i += lanes) {
    auto sum = where_set<V>(word_at(x.words, at + i), hn::Set(d, scale));
    for (int64_t p = 1; p < x.planes; ++p)
      sum = hn::Add(sum, where_set<V>(word_at(x.words, at + p * x.plane_bits + i),
                                      hn::Set(d, static_cast<V>(scale * static_cast<V>(int64_t{1} << p)))));
    hn::StoreU(sum, d, out + i);
  }
#endif
  for (; i < end; ++i) {
    V sum = 0;
    for (int64_t p = 0; p < x.planes; ++p) {
      const int64_t bit = x.begin(p, image) + i;
      if ((x.words[bit / 64] >> (bit % 64) & 1) != 0)
        sum = static_cast<V>(sum + scale * static_cast<V>(int64_t{1} << p));
    }
    out[i] = sum;
  }
}

constexpr int64_t kMostDigits = 8;

// Adds a digit to 64 numbers side by side.
HWY_INLINE void add_digits(uint64_t carry, int64_t first, int64_t digits, uint64_t* sums) {
  for (int64_t digit = first; digit < digits; ++digit) {
    const uint64_t sum = sums[digit] ^ carry;
    carry &= sums[digit];
    sums[digit] = sum;
  }
}

// Writes the planes of numbers, site after site, from a word on.
class DigitWriter {
 public:
  HWY_INLINE DigitWriter(const BitMaps& y, int64_t word, uint64_t* words)
      : planes_(y.planes), plane_words_(y.plane_bits / 64), words_(words + word) {}
  // The low n <= 64 bits of each plane.
  HWY_INLINE void add(const uint64_t* digits, int64_t n) {
    const uint64_t mask = low_bits(n);
    const int64_t filled = used_ + n;
    for (int64_t p = 0; p < planes_; ++p) {
      const uint64_t bits = digits[p] & mask;
      word_[p] |= bits << used_;
      if (filled < 64) continue;
      words_[p * plane_words_] = word_[p];
      word_[p] = used_ == 0 ? 0 : bits >> (64 - used_);
    }
    words_ += filled >= 64;
    used_ = filled % 64;
  }
  HWY_INLINE void finish() {
    for (int64_t p = 0; p < planes_ && used_ > 0; ++p) words_[p * plane_words_] = word_[p];
  }

 private:
  const int64_t planes_, plane_words_;
  uint64_t* words_;
  uint64_t word_[kMostDigits] = {};
  int64_t used_ = 0;
};

}  // namespace

int64_t PackBits(const uint8_t* s, int64_t T, int64_t n, int64_t planes, int64_t begin, int64_t end,
                 uint64_t* words) {
  const int64_t each = step_words(n), plane_words = T * each;
  int64_t total = 0;
  for (int64_t k = begin; k < end; ++k) {
    const int64_t first = k % each * 64, count = n - first < 64 ? n - first : 64;
    for (int64_t p = 0; p < planes; ++p) {
      const uint64_t word = pack_word(s + k / each * n + first, count, static_cast<uint8_t>(1 << p));
      words[p * plane_words + k] = word;
      total += static_cast<int64_t>(hwy::PopCount(word)) << p;
    }
  }
  return total;
}

void UnpackU8(const BitMaps& x, int64_t image, int64_t begin, int64_t end, uint8_t scale, uint8_t* out) {
  unpack_sites(x, image, begin, end, scale, out);
}
void UnpackF32(const BitMaps& x, int64_t image, int64_t begin, int64_t end, float scale, float* out) {
  unpack_sites(x, image, begin, end, scale, out);
}
void UnpackF64(const BitMaps& x, int64_t image, int64_t begin, int64_t end, double scale, double* out) {
  unpack_sites(x, image, begin, end, scale, out);
}

// Output images [first, last) of a step; the first begins with a word, and the last ends one or the step.  Planes are added like the
// digits of numbers, as many channels of a pixel at once as one access gives.
void Pool(const PoolBits& s, const BitMaps& x, const BitMaps& y, int64_t first, int64_t last,
          uint64_t* y_words) {
  const int64_t at_once = s.C % 8 == 0 ? 64 : 56;
  const int64_t height = s.H / s.k, width = s.W / s.k;
  DigitWriter out(y, y.begin(0, first) / 64, y_words);
  for (int64_t n = first; n < last; ++n) {
    const int64_t image = x.begin(0, n);
    for (int64_t py = 0; py < height; ++py) {
      for (int64_t px = 0; px < width; ++px) {
        const int64_t from = image + (py * s.W + px) * s.k * s.C;
        for (int64_t c = 0; c < s.C; c += at_once) {
          uint64_t sums[kMostDigits] = {};
          for (int64_t row = 0; row < s.k; ++row) {
            for (int64_t column = 0; column < s.k; ++column) {
              const int64_t at = from + (row * s.W + column) * s.C + c;
              for (int64_t plane = 0; plane < x.planes; ++plane)
                add_digits(bits_at(x.words, at + plane * x.plane_bits), plane, y.planes, sums);
            }
          }
          out.add(sums, HWY_MIN(at_once, s.C - c));
        }
      }
    }
  }
  out.finish();
}

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
