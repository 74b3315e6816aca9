#include "spiketrain/core/optimizer.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Optimizer, "optimizer")
ST_DEFINE_REGISTRY(LearningRate, "learning_rate")

NamedTensors named_parameters(const torch::nn::Module& module) {
  NamedTensors list;
  for (const auto& item : module.named_parameters()) list.emplace_back(item.key(), item.value());
  return list;
}

NamedTensors trained_parameters(const torch::nn::Module& module) {
  NamedTensors list;
  for (auto& item : named_parameters(module)) {
    if (item.second.requires_grad()) list.push_back(std::move(item));
  }
  return list;
}

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

}  // namespace spiketrain
