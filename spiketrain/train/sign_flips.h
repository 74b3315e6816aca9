// Binary weights that are optimised as signs:  m = (1 - rate) m + rate g;  the sign of w flips where |m| > threshold and sign(m) = sign(w),
// g the gradient of the binary weight: a step against the gradient once it has pointed the same way for long enough.  m is not reset by a flip.
// Source: Helwegen et al. 2019, "Latent weights do not exist: rethinking binarized neural network optimization" (Bop).
// Deviation: weights are alpha sign(w), alpha of each row, and g is dL/d(alpha sign(w)); the paper's are signs.
// Tests: golden/albsnn_test.cpp, train/binarize_test.cpp.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain {

/// Advances `evidence` (m) and flips the signs of W in place; all of the same shape.  Returns how many flipped, a scalar int64.
torch::Tensor flip_signs(const torch::Tensor& W, const torch::Tensor& g, const torch::Tensor& evidence,
                         double rate, double threshold);

}  // namespace spiketrain
