// Measures on the network itself, not assumed: how well the gradient of the recipe's rule, windows and blocks
// agrees with that of full BPTT (rule bptt, the whole sequence, one block).
#pragma once
#include <string>
#include <vector>

#include "spiketrain/train/experiment.h"

namespace spiketrain {

/// Cosine between two gradients of one layer's weights.
struct LayerCosine {
  std::string spec;
  double cosine;  ///< NaN if one of the gradients is zero
};

/// Most bytes of activations that LibTorch's allocators hold at once in one pass over `samples` training
/// samples; without parameters, their gradients and the input.  Leaves no trace, as below.
int64_t measure_activation_bytes(const Experiment& e, int64_t samples);

/// On the first `samples` training samples, in one batch, with the present weights.  Leaves no trace:
/// gradients are dropped and running statistics restored.  Rows in the order of the layers, heads excluded.
std::vector<LayerCosine> gradient_cosines(const Experiment& e, int64_t samples);

}  // namespace spiketrain
