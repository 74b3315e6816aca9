// Transposing copies, threads over matrices and bands of their columns; contract in transpose.h.
// Plain loops over blocks that stay in the cache: a copy of a few matrices waits for memory, not for moves of numbers.
#include "spiketrain/kernels/transpose/transpose.h"

#include <algorithm>

#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {
namespace {

constexpr int64_t kBand = 64;           // columns of x, rows of y, that are written together
constexpr int64_t kBlock = 16;          // rows of x that are read together
constexpr int64_t kElements = 1 << 14;  // of a thread's piece of work

template <class V>
void band(int64_t rows, int64_t columns, int64_t first, int64_t last, const V* __restrict x,
          V* __restrict y) {
  for (int64_t i0 = 0; i0 < rows; i0 += kBlock) {
    const int64_t i1 = std::min(rows, i0 + kBlock);
    for (int64_t j = first; j < last; ++j) {
      for (int64_t i = i0; i < i1; ++i) y[j * rows + i] = x[i * columns + j];
    }
  }
}

}  // namespace

template <class V>
void transpose(int64_t N, int64_t rows, int64_t columns, const V* x, V* y) {
  if (rows == 0 || columns == 0) return;
  const int64_t bands = (columns + kBand - 1) / kBand;
  for_chunks(N * bands, std::max<int64_t>(1, kElements / (rows * kBand)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t at = k / bands * rows * columns, first = k % bands * kBand;
      band(rows, columns, first, std::min(columns, first + kBand), x + at, y + at);
    }
  });
}

template <class V>
void transpose_ref(int64_t N, int64_t rows, int64_t columns, const V* x, V* y) {
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) y[(n * columns + j) * rows + i] = x[(n * rows + i) * columns + j];
    }
  }
}

template void transpose<uint8_t>(int64_t, int64_t, int64_t, const uint8_t*, uint8_t*);
template void transpose<float>(int64_t, int64_t, int64_t, const float*, float*);
template void transpose<double>(int64_t, int64_t, int64_t, const double*, double*);
template void transpose_ref<uint8_t>(int64_t, int64_t, int64_t, const uint8_t*, uint8_t*);
template void transpose_ref<float>(int64_t, int64_t, int64_t, const float*, float*);
template void transpose_ref<double>(int64_t, int64_t, int64_t, const double*, double*);

}  // namespace spiketrain::cpu
