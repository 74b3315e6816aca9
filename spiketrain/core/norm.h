// Norm = normalisation of the input current, between synapse and neuron, inside autograd.
#pragma once
#include "spiketrain/core/torch.h"

namespace spiketrain {
using torch::Tensor;

struct Norm : torch::nn::Module {
  /// I [T,B,C,...] -> same shape.  Statistics are taken over time, batch and space together.
  virtual Tensor forward(const Tensor& I) = 0;
};

/// Batch norm per channel.  scale = 1: plain; scale = alpha * threshold: tdBN (Zheng et al. 2021, "Going
/// deeper with directly-trained larger spiking neural networks", eq. 4), which aims at currents of the size
/// of the threshold.
struct BatchNorm : Norm {
  explicit BatchNorm(int64_t channels, double scale = 1.0, double momentum = 0.1, double eps = 1e-5);
  Tensor forward(const Tensor& I) override;

  Tensor weight, bias, running_mean, running_var;
  double scale, momentum, eps;
};

/// A copy of the running statistics of a network's norms, to undo what a bad batch did to them.
class NormStatistics {
 public:
  /// Does nothing if `active` is false.
  NormStatistics(const torch::nn::Module& network, bool active);
  void remember();
  void restore();

 private:
  std::vector<Tensor> statistics_, copies_;
};

}  // namespace spiketrain
