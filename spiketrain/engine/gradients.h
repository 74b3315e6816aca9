// What happens to gradients and weights around an optimizer's step.
// Clipping: g *= max_norm / (norm + 1e-6) if that factor is below 1, norm over all parameters together, as
// torch.nn.utils.clip_grad_norm_ does.  Deviation: the norm is summed in double in a fixed order.
// Tests: unit/optimizer_test.cpp.
#pragma once
#include <vector>

#include "spiketrain/core/network.h"
#include "spiketrain/core/optimizer.h"

namespace spiketrain {

/// The parameters that learn by the block they belong to, each in the order of the network.
std::vector<NamedTensors> parameters_by_block(const Network& network);
/// sqrt(sum of squares of all gradients), a double scalar on the CPU or the gradients' device.  `squares`: also the sum of each
/// parameter's, likewise; zero for one without a gradient.
Tensor grad_norm(const NamedTensors& parameters, std::vector<Tensor>* squares = nullptr);
/// Of parameters whose blocks have these norms.
double joint_norm(const double* norms, size_t blocks);
/// Scales all gradients so that their norm, `norm` now, is at most max_norm.
void clip_grads(const NamedTensors& parameters, double norm, double max_norm);
/// Keeps every element in [-limit, limit].
void clamp_weights(const std::vector<Tensor>& weights, double limit);

}  // namespace spiketrain
