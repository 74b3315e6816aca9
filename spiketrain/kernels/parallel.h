// The loop of every kernel: threads over chunks of a range.  Chunks have a fixed size and sums are added in
// their order, so that the number of threads cannot change a bit.
// Tests: equiv/kernel_cases_test.cpp.
#pragma once
#include <algorithm>
#include <cstdint>

namespace spiketrain::cpu {

/// Calls body(begin, end) for every chunk of [0, n), on all threads.  chunk >= 1.
template <class Body>
void for_chunks(int64_t n, int64_t chunk, const Body& body) {
  const int64_t chunks = (n + chunk - 1) / chunk;
  if (chunks == 1)
    return body(int64_t{0}, n);  // even one thread's parallel region costs as much as a small kernel
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < chunks; ++c) body(c * chunk, std::min(n, (c + 1) * chunk));
}

/// The same, and returns the sum of what body returns, added from the first chunk on.  No memory is
/// allocated: the sums of kHeld chunks are held at once.
template <class Sum, class Body>
Sum sum_over_chunks(int64_t n, int64_t chunk, const Body& body) {
  constexpr int64_t kHeld = 256;
  Sum total = 0, sums[kHeld];
  for (int64_t first = 0; first < n; first += kHeld * chunk) {
    const int64_t here = std::min(n - first, kHeld * chunk);
    for_chunks(here, chunk,
               [&](int64_t begin, int64_t end) { sums[begin / chunk] = body(first + begin, first + end); });
    for (int64_t c = 0; c * chunk < here; ++c) total += sums[c];
  }
  return total;
}

}  // namespace spiketrain::cpu
