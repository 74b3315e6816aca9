// Weight standardisation: each output of a layer multiplies with weights of mean 0 and variance 1/fan_in.
//   W'[o] = gain[o] * (W[o] - mean(W[o])) / sqrt(var(W[o]) * fan_in + 1e-4)
// mean and unbiased variance over the fan_in weights of output o.
// Sources: Qiao et al. 2019, "Micro-batch training with batch-channel normalization and weight standardization"; with
// fan_in and a gain: Brock et al. 2021, "Characterizing signal propagation to close the performance gap in unnormalized
// ResNets"; the constant as in the code of OTTT (Xiao et al. 2022).  Deviation: none.
// Tests: grad/synapse, golden/rules, property/threads.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

/// W [out, ...], at least two weights for each output; gain [out, 1, ...].  Shaped like W, in autograd, first
/// derivatives only.  The bits do not depend on the number of threads.
Tensor standardise(const Tensor& W, const Tensor& gain);

}  // namespace spiketrain::ops
