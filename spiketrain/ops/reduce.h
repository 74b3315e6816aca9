// Sums whose order does not depend on the number of threads; contract of the kernel in kernels/reduce/reduce.h.
// Tests: equiv/reduce, property/threads_test.cpp.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// Sum of squares of all elements; the same bits on any number of threads.
double sum_squares(const torch::Tensor& x);

/// at::sum_to: x summed over the dimensions that `sizes` lacks or has as 1; the same bits on any number of threads.
torch::Tensor sum_to(const torch::Tensor& x, at::IntArrayRef sizes);

}  // namespace spiketrain::ops
