// Tensor -> kernel: host wrappers that check, allocate and make contiguous, and the fixed-chunk parallel
// loop.  Off the CPU, or for other types than float and double, the
// same result comes from plain ATen.
#pragma once
#include <functional>

#include "spiketrain/core/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

/// True if the kernels can take this tensor: on the CPU, float or double.
bool has_kernel(const Tensor& x);

/// While one of these lives, has_kernel() is false: tests run the definitions that other devices use.
class GenericOnly {
 public:
  GenericOnly();
  ~GenericOnly();
  GenericOnly(const GenericOnly&) = delete;
  GenericOnly& operator=(const GenericOnly&) = delete;
};

/// Calls f(begin, end) on [0, n) cut into chunks whose borders depend on n alone, in parallel.  Inside f,
/// LibTorch, BLAS and oneDNN run on one thread, so the result has the same bits on any number of threads.
void for_chunks(int64_t n, const std::function<void(int64_t, int64_t)>& f, int64_t min_chunk = 1);
/// Borders for_chunks uses: chunk k of n is [k*size, min(n, (k+1)*size)).
int64_t chunk_size(int64_t n, int64_t min_chunk = 1);

/// PSP filter a[t] = a[t-1] + (x[t] - a[t-1])/tau_s, differentiable.  x [T,*]; `carried` [*] is the state
/// before the first step (undefined = zeros) and is replaced by the state after the last one, detached.  ->
/// [T,*]
Tensor psp_scan(const Tensor& x, double tau_s, Tensor& carried);

/// scale * sum over k x k windows with stride k, differentiable.  x [...,H,W] -> [...,H/k,W/k], rounded down.
Tensor window_sum(const Tensor& x, int64_t k, double scale);

/// Sum of squares of all elements; the same bits on any number of threads.
double sum_squares(const Tensor& x);

}  // namespace spiketrain::ops
