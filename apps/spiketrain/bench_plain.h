// The networks of `spiketrain bench` in plain LibTorch, in forms that others write:
//   strong  channels last; each layer's products once for all steps, of a still image once; its neurons one
//           torch::autograd::Function over all steps that keeps the membranes, with the exact adjoint written out
//   naive   the same products, contiguous, for every step; neurons one step after the other under autograd, as frameworks in
//           Python have them
//   local   strong, with a head on every hidden layer but the last and nothing handed down between layers
//   relu    a rectifier in place of the neurons, each step a sample of its own
#pragma once
#include <functional>
#include <vector>

#include "spiketrain/ops/torch.h"

namespace spiketrain::cli::bench {
using torch::Tensor;

/// A layer and the average pooling over 2x2 windows behind it.
struct PlainUnit {
  Tensor W;  ///< [out,in] or [out,in,k,k]
  int64_t pad = 0;
  bool pool = false;
  Tensor gain = {}, bias = {};  ///< [out] of a batch norm of the product; undefined: none
  Tensor mean = {}, var = {};   ///< [out] its running statistics

  /// What learns, in the order of a layer's own parameters.
  std::vector<Tensor> parameters() const {
    return gain.defined() ? std::vector<Tensor>{W, gain, bias} : std::vector<Tensor>{W};
  }
};

/// An image [B,*] shown for `steps` steps, or frames [steps,B,*].
struct PlainInput {
  Tensor x;
  int64_t steps = 1;
  bool still = false;
};

/// W x for samples [N,*], maps or not; normed over them if the unit has a norm.
Tensor plain_current(const PlainUnit& unit, const Tensor& x);
/// Spikes [steps*B,*] for currents of the same shape, step by step, or [B,*] if they are those of every step.
Tensor strong_neurons(const Tensor& I, int64_t steps, bool still);
Tensor naive_neurons(const Tensor& I, int64_t steps);

/// Output spikes [steps*B,*].
Tensor strong_forward(const std::vector<PlainUnit>& units, const PlainInput& in);
/// heads[k], of weights [out,C,H,W], is fully connected and reads the output of units[k]; learn(out) is called with the output
/// spikes of each head, then of the network.  It may go back at once: what comes after does not need the graph.
void local_forward(const std::vector<PlainUnit>& units, const std::vector<PlainUnit>& heads,
                   const PlainInput& in, const std::function<void(const Tensor& out)>& learn);
Tensor naive_forward(const std::vector<PlainUnit>& units, const PlainInput& in);
/// Outputs [N,*] for samples [N,*]; the last layer has a rectifier only if it is the only one.
Tensor relu_forward(const std::vector<PlainUnit>& units, Tensor x);

}  // namespace spiketrain::cli::bench
