// What a group's processes have in common when training begins.
// Tests: parallel/ (tests/parallel).
#pragma once
#include "spiketrain/train/training.h"

namespace spiketrain {

struct Progress;

/// UsageError that names the rank and the first thing in which a process differs from process 0: version, recipe, data sets, initial weights.
/// `version`: of the program; `data`: fingerprint of the data sets.
void check_same_run(Group& group, const Training& training, const std::string& version, const Config& data);

/// Network, optimizer, learner and progress of process 0, to all others.
void share_state(Group& group, Training& training, Progress& progress);

}  // namespace spiketrain
