// The loss of a network on validation samples while its weights are tried out: norms get statistics that fit the weights, and their own back.
#pragma once
#include <vector>

#include "spiketrain/core/norm.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

/// The first batches of an epoch, or of a split in order, on the device of the training.
std::vector<Batch> some_batches(const Training& training, const Dataset& data, int64_t batches, int64_t epoch,
                                bool shuffle);

/// Moves the statistics of norms by so many training batches, those that an epoch begins with.
void renew_statistics(const Training& training, int64_t batches, int64_t epoch);

class HeldOutLoss {
 public:
  /// `training` must outlive it.  UsageError without a validation split.
  HeldOutLoss(const Training& training, int64_t samples, int64_t norm_batches, int64_t epoch);
  /// Of a sample, with the weights as they are now.
  double measure();

 private:
  const Training& training_;
  std::vector<Batch> validation_, train_;
  NormStatistics statistics_;
};

}  // namespace spiketrain
