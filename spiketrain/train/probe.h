// Measures on the network itself, not assumed: how well the gradient of the method (rule, schedule, blocks)
// agrees with that of full BPTT (rule bptt, the whole sequence, one block), and what memory a pass takes.
// Both leave no trace: gradients are dropped, weights are not touched, running statistics are restored.
// Tests: train/guard_test.cpp, property/memory_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/train/training.h"

namespace spiketrain {

/// Cosine between two gradients of one layer's weights.
struct LayerCosine {
  std::string spec;
  double cosine;  ///< NaN if one of the gradients is zero
};

/// Most bytes of activations that LibTorch's allocators hold at once in one pass over `samples` training
/// samples; without parameters, their gradients and the input.
int64_t measure_activation_bytes(const Training& training, int64_t samples);

/// On the first `samples` training samples, in one batch, with the present weights.  Rows in the order of the
/// layers, heads excluded.
std::vector<LayerCosine> gradient_cosines(const Training& training, int64_t samples);

}  // namespace spiketrain
