// Sums over steps and samples whose order does not depend on the number of threads; contract of the kernel in kernels/reduce/reduce.h.
// Tests: equiv/reduce, property/threads_test.cpp.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// Sum of squares of all elements; the same bits on any number of threads.
double sum_squares(const torch::Tensor& x);

/// at::sum_to: x summed over the dimensions that `sizes` lacks or has as 1; the same bits on any number of threads.
torch::Tensor sum_to(const torch::Tensor& x, at::IntArrayRef sizes);

/// sum_t weights[t] * x[t] of x [T,*], weights [T] -> [*]; without gradient; the same bits on any number of threads.
torch::Tensor sum_steps(const torch::Tensor& x, const torch::Tensor& weights);

/// gain[t] * image of an image [1,*] -> [T,*], lying as it does; without gradient.
torch::Tensor spread_steps(const torch::Tensor& image, const torch::Tensor& gain);

}  // namespace spiketrain::ops
