// What a resumed run must have in common with the run it continues.
// Tests: unit/checkpoint_test.cpp, train/guard_test.cpp.
#pragma once
#include "spiketrain/train/run_dir.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

/// UsageError that names the first option in which two configurations differ, unless `docs` say that a
/// resumed run may change it.  An option that one of them lacks counts as its default.  A doc without a name
/// speaks of its section as a whole.
void check_resumable(const Config& before, const Config& now, const OptionDocs& docs);

/// Sizes and a digest of the targets (FNV-1a): tells data sets apart that a folder may hold one after the
/// other.
Config fingerprint(const Datasets& data);
/// UsageError that names the first split in which two fingerprints differ.
void check_same_data(const Config& before, const Config& now);

/// For a folder without a checkpoint, where a run starts over: UsageError unless it is a run of this
/// configuration that had not come to its first checkpoint, so that nothing is lost.
void check_resumable_dir(const RunDir& dir, const Training& training);

}  // namespace spiketrain
