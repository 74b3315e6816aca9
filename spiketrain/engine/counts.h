// Whether a learner's parts fit the rules and norms that work on spike counts (core/counts.h).
// Tests: unit/tandem_parts_test.cpp.
#pragma once
#include "spiketrain/engine/learner.h"

namespace spiketrain {

/// The objective has been prepared.  UsageError if a rule or norm is OfCounts and the plan has more than one segment or steps without a loss;
/// if such a rule's layer has a norm that is not; or if the objective's error is not the same at every step.
void check_counts(const LearnerParts& parts, const Plan& plan);

}  // namespace spiketrain
