// Initial weights, drawn from the counter-based generator: the same bits for the same (seed, index).
#pragma once
#include <string>

#include "spiketrain/base/registry.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {

/// The `init` option of a synapse.
inline Choices init_choices() { return {{"uniform", "kaiming_normal", "kaiming_uniform", "xavier_normal"}}; }

/// Fills W [out, in, ...] in place:
///   uniform          U(-b, b), b = 1/sqrt(fan_in): PyTorch's default for linear and convolution
///   kaiming_normal   N(0, 2/fan_in)         (He et al. 2015)
///   kaiming_uniform  U(-b, b), b = sqrt(6/fan_in)
///   xavier_normal    N(0, 2/(fan_in + fan_out))
/// all times `scale`.
void initialise_weight(torch::Tensor& W, const std::string& init, double scale, uint64_t seed,
                       uint64_t index);

/// The `bias_init` option of a synapse.
inline Choices bias_init_choices() { return {{"zero", "uniform"}}; }

/// A bias, which may be undefined, beside the weight W: zeros, or uniform: U(-b, b), b = 1/sqrt(fan_in), as in PyTorch.
void initialise_bias(torch::Tensor b, const torch::Tensor& W, const std::string& init, uint64_t seed,
                     uint64_t index);

/// Fills a tensor in place, in order, with draws from U(-s, s).
void draw_uniform(torch::Tensor W, double s, Rng rng);

}  // namespace spiketrain
