// Tensor -> kernel: host wrappers that check, allocate and make contiguous, and the fixed-chunk parallel
// loop. The only callers of spiketrain/kernels.
#pragma once
#include <torch/torch.h>

#include <functional>

namespace spiketrain::ops {
using torch::Tensor;

/// Calls f(begin, end) on [0, n) cut into chunks whose borders depend on n alone, in parallel.  Inside f,
/// LibTorch, BLAS and oneDNN run on one thread, so the result has the same bits on any number of threads.
void for_chunks(int64_t n, const std::function<void(int64_t, int64_t)>& f, int64_t min_chunk = 1);
/// Borders for_chunks uses: chunk k of n is [k*size, min(n, (k+1)*size)).
int64_t chunk_size(int64_t n, int64_t min_chunk = 1);

}  // namespace spiketrain::ops
