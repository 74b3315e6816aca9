// Sums over all elements; contract in kernels/reduce/reduce.h.  Tests: equiv/reduce.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// Sum of squares of all elements; the same bits on any number of threads.
double sum_squares(const torch::Tensor& x);

}  // namespace spiketrain::ops
