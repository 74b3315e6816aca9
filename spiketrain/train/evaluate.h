// Loss and accuracy of a network on a data set, without learning.
#pragma once

#include "spiketrain/train/experiment.h"
#include "spiketrain/train/observer.h"

namespace spiketrain {

struct Evaluation {
  double loss = 0;      ///< mean over batches of the objective's loss
  double accuracy = 0;  ///< share of samples whose largest score is the label's
  int64_t samples = 0;
  double seconds = 0;
  std::vector<LayerRate> rates;
};

/// Samples in order; random encoders do not depend on the epoch.
Evaluation evaluate(const Experiment& experiment, const Dataset& data, int64_t batch);

/// Adds one pass's spike counts to the sums.
void add_activity(const std::vector<Activity>& activity, EpochSums& sums);

}  // namespace spiketrain
