// A batch in shares of its samples, one after the other: the gradients add up to those of the batch, and what a pass keeps is
// that of a share.
// Tests: engine/shares_test.cpp.
#pragma once
#include "spiketrain/engine/learner.h"

namespace spiketrain {

/// Whether what a batch of this network teaches is the mean of what its samples do, each by itself, with one update at the end of
/// the plan: no statistics over the batch (norms, regularizers, steps chosen by activity or
/// scores, some rules), no way back that learns.
bool samples_are_separate(const LearnerParts& parts, const Plan& plan);

/// Samples of a batch that a pass holds at once.
int64_t samples_held(const LearnerParts& parts, const Plan& plan, int64_t batch);

/// Samples [begin, end).
Batch share_of(const Batch& batch, int64_t begin, int64_t end);

/// Of `whole`, with the weight of its samples, after `result` of those before.
void add_share(PassResult& result, const PassResult& share, double weight, Target::Kind kind);

}  // namespace spiketrain
