// Standardisation per channel by the standard deviation plus eps, eps outside the root, which LibTorch's batch norm has not:
//   y = gain * (x - mean) / (sqrt(var) + eps) + bias
// mean and biased variance over all but the channels.
// Source: the tdBN of the code of MLF (Feng et al. 2022).  Deviation: a channel that is constant gets no gradient through its
// variance, where theirs is NaN.  Tests: unit/norm_eps_test.cpp, golden/mlf_test.cpp.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

struct DeviationNorm {
  Tensor y;          ///< shaped like x, in autograd, first derivatives only
  Tensor mean, var;  ///< [C], var biased; detached
};
/// x [M,C,*], gain and bias [C].  The bits do not depend on the number of threads.
DeviationNorm deviation_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, double eps);

}  // namespace spiketrain::ops
