// Running statistics of norms without learning: for weights that have just changed.
// Tests: train/binarize_test.cpp.
#pragma once
#include "spiketrain/engine/learner.h"

namespace spiketrain {

/// Whether the network has norms, between weights and neuron or in the neuron, whose running statistics move in training.
bool has_moving_statistics(const Network& network);

/// Takes a batch forward as training does, all steps at once; running statistics move, nothing else changes.  `iteration` is the key of
/// dropout.  Gradients need not be on.
void move_statistics(const LearnerParts& parts, const Batch& batch, uint64_t iteration);

}  // namespace spiketrain
