#include "spiketrain/train/sign_flips.h"

namespace spiketrain {

torch::Tensor flip_signs(const torch::Tensor& W, const torch::Tensor& g, const torch::Tensor& evidence,
                         double rate, double threshold) {
  const torch::NoGradGuard no_grad;
  torch::Tensor(evidence).mul_(1 - rate).add_(g, rate);
  const torch::Tensor flips = (evidence.abs() > threshold) & ((evidence > 0) == (W >= 0));
  torch::Tensor(W).copy_(torch::where(flips, -W, W));
  return flips.sum();
}

}  // namespace spiketrain
