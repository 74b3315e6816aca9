// How much each step adds to the gradient, for schedules that choose steps by it:
//   score[t] = sum over the synapses of spiking neurons of |g[t] (x) x[t]|_F,  g of exact BPTT over the whole sequence
// Each is the norm of a gradient of the effective weight, summed over the batch; an analog readout, biases, norms and
// neurons' parameters do not count.  The pass is that of schedule checkpointed with segments of sqrt(T), end to end: its memory grows with sqrt(T).
// It leaves no trace: neither gradients nor running statistics nor counts.
// Source: ours, for ST-BPTT; see parts/schedules/top_steps.cpp.  Tests: golden/memory_rules, engine/top_steps_test.cpp.
#pragma once
#include "spiketrain/engine/learner.h"

namespace spiketrain {

/// The plan of that pass.
Plan scoring_plan(int64_t steps);

/// [T] double, on the CPU.  `parts`: of a learner.  `iteration`: as Learner::pass has it, so that masks are those of
/// training.
Tensor step_scores(const LearnerParts& parts, const Batch& batch, uint64_t iteration);

}  // namespace spiketrain
