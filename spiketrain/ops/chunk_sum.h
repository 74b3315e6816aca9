// A sum over samples that does not depend on the number of threads: each chunk gives a partial sum, and these are added in order.
// Tests: grad/synapse_test.cpp.
#pragma once
#include <vector>

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// sum_of(i, j) over chunks [i, j) of `count` >= 1 samples, at least `least` in each; by `threads`, else in one piece.
template <class F>
Tensor chunk_sum(int64_t count, int64_t least, bool threads, F&& sum_of) {
  if (!threads) return sum_of(0, count);
  const int64_t size = chunk_size(count, least);
  std::vector<Tensor> parts(static_cast<size_t>((count + size - 1) / size));
  for_chunks(
      count, [&](int64_t i, int64_t j) { parts[static_cast<size_t>(i / size)] = sum_of(i, j); }, least);
  for (size_t k = 1; k < parts.size(); ++k) parts[0].add_(parts[k]);
  return parts[0];
}

}  // namespace spiketrain::ops
