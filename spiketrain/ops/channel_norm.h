// Standardisation per channel, forward and back, over the samples of one process or of several:
//   y = gain * (x - mean) * r + bias;   r = 1/sqrt(var + eps), or 1/(sqrt(var) + eps) with eps outside the root
// mean and biased variance over all but the channels, or given.  On the CPU maps come out pixel by pixel.
// Source: Ioffe and Szegedy 2015, "Batch normalization"; eps outside the root: the tdBN of the code of MLF (Feng et al. 2022).
// Deviation: with eps outside, a channel that is constant gets no gradient through its variance, where theirs is NaN.
// Tests: unit/norm_test.cpp, unit/norm_eps_test.cpp, engine/group_test.cpp, golden/mlf_test.cpp.
#pragma once
#include <functional>

#include "spiketrain/ops/channel_map.h"

namespace spiketrain::ops {
using torch::Tensor;

struct ChannelNormOptions {
  double eps = 1e-5;
  bool outside = false;        ///< of the root
  Tensor mean = {}, var = {};  ///< [C]: given statistics; undefined: those of x
  /// Adds up a tensor over all processes in place; empty: this one has all samples.
  std::function<void(const Tensor&)> sum = {};
};

/// One standardisation, without autograd.
class ChannelNorm {
 public:
  /// x [A,B,C,*], gain and bias [C].  The bits do not depend on the number of threads.
  ChannelNorm(const Tensor& x, const Tensor& gain, const Tensor& bias, ChannelNormOptions options);

  /// y, shaped like x, memory of its own.
  Tensor apply() const;
  /// The same as a map of x for neurons that read it so; undefined if x does not lie in rows of channels.
  ChannelMap map() const;

  Tensor mean, var;  ///< [C], double; var biased
  double count = 0;  ///< values of a channel

  struct Gradients {
    Tensor x, gain, bias;  ///< those of gain and bias from the samples that are here
  };
  /// From g = dL/dy, whose memory is written over if nobody else holds it.
  Gradients back(Tensor g) const;

 private:
  void measure();
  Tensor rows_;       ///< x as rows of channels
  bool own_ = false;  ///< they are a copy
  std::vector<int64_t> sizes_;
  Tensor gain_, r_;                 ///< double
  Tensor centre_, factor_, shift_;  ///< of the type of x
  ChannelNormOptions options_;
};

/// The same with y in autograd, first derivatives only.
struct NormedChannels {
  Tensor y, mean, var;  ///< mean and var detached, double
  double count = 0;
};
NormedChannels channel_norm(const Tensor& x, const Tensor& gain, const Tensor& bias,
                            const ChannelNormOptions& options);

}  // namespace spiketrain::ops
