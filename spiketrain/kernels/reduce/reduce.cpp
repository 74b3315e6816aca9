// Squared norm of a flat array; contract in reduce.h.
// Plain loops: with sixteen running sums the compiler keeps memory busy with the baseline instruction set,
// and fixed running sums give the same bits on every machine, which a vector as wide as the machine's would
// not.
#include "spiketrain/kernels/reduce/reduce.h"

#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {
namespace {

constexpr int64_t kChunk = 65536;
constexpr int64_t kSums = 16;

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
  return sum_over_chunks<double>(
      n, kChunk, [&](int64_t begin, int64_t end) { return chunk_sum_squares(x + begin, end - begin); });
}

template double sum_squares<float>(const float*, int64_t);
template double sum_squares<double>(const double*, int64_t);

}  // namespace spiketrain::cpu
