#include "spiketrain/core/norm.h"

namespace spiketrain {

BatchNorm::BatchNorm(int64_t channels, double scale, double momentum, double eps)
    : weight(register_parameter("weight", torch::ones({channels}))),
      bias(register_parameter("bias", torch::zeros({channels}))),
      running_mean(register_buffer("running_mean", torch::zeros({channels}))),
      running_var(register_buffer("running_var", torch::ones({channels}))),
      scale(scale),
      momentum(momentum),
      eps(eps) {}

Tensor BatchNorm::forward(const Tensor& I) {
  const Tensor gain = scale == 1.0 ? weight : weight * scale;
  return torch::batch_norm(I.flatten(0, 1), gain, bias, running_mean, running_var, is_training(), momentum,
                           eps,
                           /*cudnn_enabled=*/true)
      .view(I.sizes());
}

NormStatistics::NormStatistics(const torch::nn::Module& network, bool active) {
  if (!active) return;
  for (const auto& module : network.modules()) {
    if (!std::dynamic_pointer_cast<Norm>(module)) continue;
    for (const Tensor& buffer : module->buffers(/*recurse=*/false)) statistics_.push_back(buffer);
  }
}

void NormStatistics::remember() {
  copies_.clear();
  for (const Tensor& tensor : statistics_) copies_.push_back(tensor.clone());
}

void NormStatistics::restore() {
  for (size_t i = 0; i < copies_.size(); ++i) statistics_[i].copy_(copies_[i]);
}

}  // namespace spiketrain
