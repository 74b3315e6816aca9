#include "spiketrain/core/norm.h"

#include "spiketrain/core/extras.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Norm, "norm")

NormStatistics::NormStatistics(const torch::nn::Module& network, bool active) {
  if (!active) return;
  for (const auto& module : network.modules()) {
    if (const auto normed = std::dynamic_pointer_cast<NormedNeuron>(module)) {
      for (const Tensor& buffer : normed->statistics()) statistics_.push_back(buffer);
    }
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
