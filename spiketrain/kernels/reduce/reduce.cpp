// Reductions over a flat array; contract in reduce.h.
// Plain loops: with sixteen running sums the compiler keeps memory busy with the baseline instruction set,
// and fixed running sums give the same bits on every machine, which a vector as wide as the machine's would
// not.
#include "spiketrain/kernels/reduce/reduce.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace spiketrain::cpu {
namespace {

constexpr int64_t kChunk = 65536;
constexpr int64_t kSums = 16;
// Chunks whose sums are held at once, on the stack.
constexpr int64_t kGroup = 256;

int64_t chunk_count(int64_t n) { return (n + kChunk - 1) / kChunk; }

template <class R>
double chunk_sum_squares(const R* x, int64_t n) {
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int64_t j = 0; j < kSums; ++j)
      sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  for (int64_t j = 0; i < n; ++i, ++j) sums[j] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (double s : sums) total += s;
  return total;
}

// NaN and infinity are the numbers whose exponent bits are all ones.
template <class R>
bool chunk_finite(const R* x, int64_t n) {
  using Bits = std::conditional_t<sizeof(R) == 4, uint32_t, uint64_t>;
  constexpr Bits kExponent = sizeof(R) == 4 ? Bits(0x7f800000u) : Bits(0x7ff0000000000000u);
  Bits found = 0;
  for (int64_t i = 0; i < n; ++i) {
    Bits bits;
    std::memcpy(&bits, x + i, sizeof(R));
    found |= static_cast<Bits>((bits & kExponent) == kExponent);
  }
  return found == 0;
}

}  // namespace

template <class R>
double sum_squares(const R* x, int64_t n) {
  double total = 0;
  double sums[kGroup];
  for (int64_t first = 0; first < chunk_count(n); first += kGroup) {
    const int64_t count = std::min(kGroup, chunk_count(n) - first);
#pragma omp parallel for schedule(static) if (count > 1)
    for (int64_t c = 0; c < count; ++c) {
      const int64_t begin = (first + c) * kChunk;
      sums[c] = chunk_sum_squares(x + begin, std::min(kChunk, n - begin));
    }
    for (int64_t c = 0; c < count; ++c) total += sums[c];
  }
  return total;
}

template <class R>
bool all_finite(const R* x, int64_t n) {
  const int64_t chunks = chunk_count(n);
  int64_t bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : bad) if (chunks > 1)
  for (int64_t c = 0; c < chunks; ++c) {
    bad += !chunk_finite(x + c * kChunk, std::min(kChunk, n - c * kChunk));
  }
  return bad == 0;
}

int64_t count_nonzero_u8(const uint8_t* x, int64_t n) {
  const int64_t chunks = chunk_count(n);
  int64_t total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total) if (chunks > 1)
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t begin = c * kChunk, end = std::min(n, begin + kChunk);
    uint32_t count = 0;  // a chunk has fewer than 2^32 elements
    for (int64_t i = begin; i < end; ++i) count += x[i] != 0;
    total += count;
  }
  return total;
}

template double sum_squares<float>(const float*, int64_t);
template double sum_squares<double>(const double*, int64_t);
template bool all_finite<float>(const float*, int64_t);
template bool all_finite<double>(const double*, int64_t);

}  // namespace spiketrain::cpu
