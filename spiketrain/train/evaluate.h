// Loss and metrics of a network on a data set, without learning.
#pragma once
#include <functional>
#include <vector>

#include "spiketrain/train/metrics.h"
#include "spiketrain/train/rates.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

struct Evaluation : Scores {
  int64_t samples = 0;
  double seconds = 0;
  std::vector<LayerRate> rates;
};

/// No training epoch has this number, so that evaluation draws from streams of its own.
inline constexpr int64_t kEvaluationEpoch = -1;
/// Told of each batch, on the device of the network, and what came of it.
using OnEvaluated = std::function<void(const Batch& batch, const PassResult& result)>;

/// Samples in order, `batch` at a time; random encoders do not depend on the epoch.  The loss is the mean
/// over samples, whatever `batch`: of an objective whose loss is a mean over the batch, the mean weighted by
/// the batches' sizes; of one that sums over samples, the sum over all divided by their number.  UsageError
/// if the data set is empty.
Evaluation evaluate(const Training& training, const Dataset& data, int64_t batch,
                    const OnEvaluated& on_batch = {});

/// The same of something in the network's place: `infer` takes a batch through it, `network` names the layers of the tally.
Evaluation evaluate(const Training& training, const Dataset& data, int64_t batch, const Network& network,
                    const std::function<PassResult(const Batch&, Tally*)>& infer);

}  // namespace spiketrain
