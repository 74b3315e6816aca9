// Progressive tandem learning: from a trained analog network to a spiking one, layer by layer (the section [tandem]).
//   stage k = 1..H     hidden layer k becomes spiking.  Its threshold is a percentile of its activations in the network as it is by then, divided
//                      by T; the weights that read it are multiplied with the threshold.  Then all layers that are not frozen learn, with
//                      a fresh optimizer, until the first metric has not improved on the validation split for train.patience epochs, or the
//                      epochs are over; the best weights go on, and layer k is frozen.
//   stage H + 1        nothing is converted; the learning rate is last_rate times the recipe's, and what has to be beaten is the best of
//                      the stage before.
// The output layer stays analog.  A stage is a run of its own, in stages/K of the run directory, with the recipe that says so: it is
// resumed as any run.  Without epochs the layers are only converted.
//   stages.json        what each stage began with and came to
//   ckpt/best.safetensors, metrics.jsonl, summary.json, DONE, config.toml with the thresholds: of the whole, when it is complete
// Source: Wu et al. 2021, "Progressive tandem learning for pattern recognition with deep spiking neural networks", and the released code
// (deepspike/progressive_tandem_learning, 3c1cafa).  Deviations: the weights that read a converted layer are scaled; with freeze "after" a
// layer learns in its own stage.
// Tests: train/tandem_test.cpp, golden/tandem_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/recipe/run_training.h"

namespace spiketrain {

/// What is fixed of a stage before it begins.
struct TandemStage {
  int64_t converted;        ///< the first so many hidden layers spike
  int64_t frozen;           ///< and so many learn no more
  double rate = 1;          ///< factor on the learning rate
  bool keeps_best = false;  ///< it has to beat the best of the stage before
};
/// Of a network with so many hidden layers.
std::vector<TandemStage> tandem_stages(int64_t hidden, const TandemSection& options);

/// Whether a run directory has weights of a stage, so that the analog network is not needed any more.
bool stages_have_begun(const std::string& run_dir);

/// Trains through all stages, from the network of `analog`, which has its weights unless stages_have_begun().  The progress is that of the last stage,
/// and `analog` the experiment of the spiking network when all are complete.
/// UsageError without validation data if there is an epoch, if a layer's percentile is not above zero, or if what is resumed had another
/// recipe; errors as Trainer's.
RunEnd train_stages(Experiment& analog, RunDir& dir, const RunSettings& settings);

}  // namespace spiketrain
