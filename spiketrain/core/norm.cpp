#include "spiketrain/core/norm.h"

#include "spiketrain/core/extras.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Norm, "norm")

std::vector<Tensor> moving_statistics(const torch::nn::Module& network) {
  std::vector<Tensor> statistics;
  for (const auto& module : network.modules()) {
    const auto neuron = std::dynamic_pointer_cast<NormedNeuron>(module);
    if (neuron && neuron->couples_samples()) {
      for (const Tensor& buffer : neuron->statistics()) statistics.push_back(buffer);
    }
    const auto norm = std::dynamic_pointer_cast<Norm>(module);
    if (!norm || !norm->couples_samples()) continue;
    for (const Tensor& buffer : norm->buffers(/*recurse=*/false)) statistics.push_back(buffer);
  }
  return statistics;
}

NormStatistics::NormStatistics(const torch::nn::Module& network, bool active) {
  if (active) statistics_ = moving_statistics(network);
}

void NormStatistics::remember() {
  copies_.clear();
  for (const Tensor& tensor : statistics_) copies_.push_back(tensor.clone());
}

void NormStatistics::restore() {
  for (size_t i = 0; i < copies_.size(); ++i) statistics_[i].copy_(copies_[i]);
}

}  // namespace spiketrain
