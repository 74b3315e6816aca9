// The teacher of a run: [teacher] names a trained network, whose outputs for a sample are the mean over time of its last layer's, times
// the scale of its own objective: the logits it was trained with.  It is frozen and in evaluation mode, and sees the samples of this
// run's data as its own recipe frames, codes and normalises them, for as many steps as it was trained with.
// Its outputs are computed when a sample of a split is first asked for, for the split as a whole, on the CPU, and kept; where training
// samples are augmented, which makes other samples of them in every epoch, they are computed anew in every epoch.
// Tests: unit/teacher_test.cpp, train/distillation_test.cpp.
#pragma once
#include <string>

#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

/// Whether the recipe's objective learns from a teacher and the recipe names one.
bool learns_from_teacher(const Recipe& recipe);

/// The splits of a recipe, with the outputs of its teacher.  UsageError, DataError: no such file, or it is not the one whose digest the
/// recipe holds, or its network does not fit the data.
Datasets taught(const Datasets& data, const Recipe& recipe, const std::string& data_dir);

/// UsageError if the objective learns from a teacher and the data hold no outputs of one.
void check_teacher(const Recipe& recipe, const Dataset& train);

/// The recipe with the digest of its teacher's file, if it has a teacher and no digest yet.
Recipe with_teacher_digest(Recipe recipe);

}  // namespace spiketrain
