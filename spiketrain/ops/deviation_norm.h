// Standardisation per channel in forms that LibTorch's batch norm has not: by the standard deviation plus eps, eps outside the
// root, and over samples that several processes have.
//   y = gain * (x - mean) * r + bias;   r = 1/(sqrt(var) + eps), or 1/sqrt(var + eps)
// mean and biased variance over all but the channels.
// Source: the tdBN of the code of MLF (Feng et al. 2022).  Deviation: a channel that is constant gets no gradient through its
// variance, where theirs is NaN.  Tests: unit/norm_eps_test.cpp, engine/group_test.cpp, golden/mlf_test.cpp.
#pragma once
#include <functional>

#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

struct DeviationNorm {
  Tensor y;          ///< shaped like x, in autograd, first derivatives only
  Tensor mean, var;  ///< [C], var biased; detached
  double count = 0;  ///< values of a channel
};
struct DeviationOptions {
  double eps = 1e-5;
  bool outside = true;  ///< of the root
  /// Adds up a tensor over all processes in place; empty: this one has all samples.
  std::function<void(const Tensor&)> sum = {};
};
/// x [M,C,*], gain and bias [C].  The bits do not depend on the number of threads.
DeviationNorm deviation_norm(const Tensor& x, const Tensor& gain, const Tensor& bias,
                             const DeviationOptions& options);

}  // namespace spiketrain::ops
