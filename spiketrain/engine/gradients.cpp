#include "spiketrain/engine/gradients.h"

#include <cmath>
#include <set>

#include "spiketrain/ops/reduce.h"

namespace spiketrain {

std::vector<NamedTensors> parameters_by_block(const Network& network) {
  const NamedTensors all = trained_parameters(network);
  std::vector<NamedTensors> blocks(static_cast<size_t>(network.blocks()));
  for (size_t b = 0; b < blocks.size(); ++b) {
    std::set<const void*> own;
    for (const Tensor& p : network.block_parameters(static_cast<int64_t>(b)))
      own.insert(p.unsafeGetTensorImpl());
    for (const auto& item : all) {
      if (own.count(item.second.unsafeGetTensorImpl()) != 0) blocks[b].push_back(item);
    }
  }
  return blocks;
}

Tensor grad_norm(const NamedTensors& parameters, std::vector<Tensor>* squares) {
  double sum = 0;
  std::vector<Tensor> on_device;
  for (const auto& [name, parameter] : parameters) {
    const Tensor& grad = parameter.grad();
    if (!grad.defined()) {
      if (squares) squares->push_back(torch::zeros({}, parameter.options().dtype(torch::kDouble)));
      continue;
    }
    if (!grad.device().is_cpu()) {
      on_device.push_back(grad.to(torch::kDouble).square().sum());
      if (squares) squares->push_back(on_device.back());
      continue;
    }
    const double own = ops::sum_squares(grad);
    if (squares) squares->push_back(torch::tensor(own, torch::kDouble));
    sum += own;
  }
  if (!on_device.empty()) return (torch::stack(on_device).sum() + sum).sqrt();
  return torch::tensor(std::sqrt(sum), torch::kDouble);
}

double joint_norm(const double* norms, size_t blocks) {
  double squares = 0;
  for (size_t b = 0; b < blocks; ++b) squares += norms[b] * norms[b];
  return blocks == 1 ? norms[0] : std::sqrt(squares);
}

void clip_grads(const NamedTensors& parameters, double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  if (!(factor < 1)) return;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.grad().defined()) parameter.grad().mul_(factor);
  }
}

void clamp_weights(const std::vector<Tensor>& weights, double limit) {
  torch::NoGradGuard no_grad;
  for (Tensor weight : weights) weight.clamp_(-limit, limit);
}

}  // namespace spiketrain
