// How the processes that a launcher has started divide the work: the recipe's section [parallel].
// Tests: train/join_group_test.cpp, tests/parallel.
#pragma once
#include <memory>
#include <string>

#include "spiketrain/core/group.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain {

/// The first batch of a run, whole, on its device: what blocks are measured on (engine/block_costs.h).
Batch measured_batch(const Training& training);

/// The experiment's learner joins the group.  Blocks are balanced by what they take in process 0, if the recipe does not say how
/// many each process has.  Returns a line for people.  UsageError as Learner::join(), or if the processes' recipes differ here.
std::string join_group(Experiment& experiment, const std::shared_ptr<Group>& group);

}  // namespace spiketrain
