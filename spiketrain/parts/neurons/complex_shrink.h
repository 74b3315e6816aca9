// Soft shrinkage of complex numbers, S(z) = z * max(1 - threshold/|z|, 0), S(0) = 0: the step of ISTA that makes an estimate sparse.
// A complex number is a pair of real ones: of a map [2C,*] the first C are real parts, the others the imaginary parts of the same.
#pragma once
#include "spiketrain/core/neuron.h"

namespace spiketrain {

/// z [B,2C,*], threshold [1]; differentiable in both, of pairs of real numbers.  A threshold below 0 counts as 0.
inline Tensor complex_shrink(const Tensor& z, const Tensor& threshold) {
  const std::vector<Tensor> parts = z.chunk(2, 1);
  const Tensor least = threshold.clamp_min(0), squares = parts[0].square() + parts[1].square();
  const Tensor above = squares.detach().gt(least.detach().square());
  const Tensor size = torch::where(above, squares, torch::ones_like(squares)).sqrt();
  const Tensor gain = torch::where(above, 1 - least / size, torch::zeros_like(size));
  return torch::cat({parts[0] * gain, parts[1] * gain}, 1);
}

/// UsageError unless the first of the dimensions of one sample divides by `parts`.
inline void check_complex(const Shape& shape, int64_t parts, const std::string& neuron, const char* what) {
  ST_CHECK(!shape.empty() && shape[0] % parts == 0, "neuron ", neuron, ": expected ", what,
           ", got neurons of shape ", at::IntArrayRef(shape), "; it belongs to network slista");
}

}  // namespace spiketrain
