// Sums over windows of maps; contract in kernels/pool2d/pool2d.h.  Tests: equiv/generic, equiv/pool2d.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

/// scale * sum over k x k windows with stride k, differentiable.  x [...,H,W] -> [...,H/k,W/k], rounded down.
/// UsageError if the maps are smaller than a window.
Tensor window_sum(const Tensor& x, int64_t k, double scale);
/// Its adjoint: dL/dx of this shape from g = dL/dy.
Tensor window_spread(const Tensor& g, at::IntArrayRef shape, int64_t k, double scale);

}  // namespace spiketrain::ops
