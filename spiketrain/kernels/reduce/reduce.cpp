// Squared norm of a flat array; contract in reduce.h.
// Plain loops: with sixteen running sums the compiler keeps memory busy with the baseline instruction set,
// and fixed running sums give the same bits on every machine, which a vector as wide as the machine's would
// not.
#include "spiketrain/kernels/reduce/reduce.h"

#include <algorithm>

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

template double sum_squares<float>(const float*, int64_t);
template double sum_squares<double>(const double*, int64_t);

}  // namespace spiketrain::cpu
