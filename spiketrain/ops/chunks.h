// What every op shares: which tensors have a kernel, and the fixed-chunk parallel loop.  The other files of this
// folder take and return tensors, one file per kernel: they check, make contiguous, choose type and device.  Off the
// CPU, or for other types than float and double, the same result comes from plain ATen.
// Tests: equiv/generic, unit/memory_tracker.
#pragma once
#include <functional>

#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

/// True if the kernels can take this tensor: on the CPU, float or double.
bool has_kernel(const Tensor& x);

/// While one of these lives, has_kernel() is false: tests run the definitions that other devices use.  It holds for
/// the whole process: what other threads compute meanwhile takes the slow way too.
class GenericOnly {
 public:
  GenericOnly();
  ~GenericOnly();
  GenericOnly(const GenericOnly&) = delete;
  GenericOnly& operator=(const GenericOnly&) = delete;
};

/// Most chunks that for_chunks makes: enough for eight threads to share, few enough that the cost of a call per chunk
/// stays small (docs/adr/0006-fixed-chunks.md).
constexpr int64_t kMaxChunks = 8;

/// Calls f(begin, end) on [0, n) cut into chunks whose borders depend on n alone, in parallel.  Inside f,
/// LibTorch, BLAS and oneDNN run on one thread, so the result has the same bits on any number of threads.
void for_chunks(int64_t n, const std::function<void(int64_t, int64_t)>& f, int64_t min_chunk = 1);
/// Borders for_chunks uses: chunk k of n is [k*size, min(n, (k+1)*size)).
int64_t chunk_size(int64_t n, int64_t min_chunk = 1);

}  // namespace spiketrain::ops
