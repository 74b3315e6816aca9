// A batch through a network one step at a time, for whoever wants to see the states after each: with a core/watch.h.
// Tests: train/watch_test.cpp.
#pragma once
#include "spiketrain/engine/learner.h"

namespace spiketrain {

/// Whether a network can run one step at a time: no stage or neuron of it reads the whole sequence at once.
bool runs_step_by_step(const Network& network);

/// In evaluation mode, heads of blocks left out.  The steps of a network that can run so come one by one, of any other all at once.
/// Returns what the network puts out, one signal a call.  UsageError if the batch does not fit.
std::vector<Signal> infer_by_step(const LearnerParts& parts, const Batch& batch);

}  // namespace spiketrain
