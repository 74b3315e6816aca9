// What a run tells whoever watches it.  The library itself never prints.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/core/stage.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/probe.h"

namespace spiketrain {

/// Firing rate of one layer.
struct LayerRate {
  std::string spec;
  int64_t slot = -1;
  double rate = 0;
};
/// Layers of `stages` that emitted something countable.
std::vector<LayerRate> layer_rates(const std::vector<StageInfo>& stages, const EpochSums& sums);

/// After each batch.  References are valid during the call only.
struct BatchReport {
  const Progress& progress;
  const std::vector<StageInfo>& stages;
  int64_t epochs, batches;
  double loss;  ///< of this batch
};

/// After each epoch, evaluation included; a value of -1 means "not measured".
struct EpochReport {
  int64_t epoch = 0, epochs = 0, iteration = 0;  ///< epoch counts from 1
  double lr = 0;
  double train_loss = 0, train_accuracy = 0, grad_norm = 0;  ///< means over the epoch's batches and samples
  std::vector<double> head_losses;                           ///< of the blocks' heads, lowest first
  int64_t skipped = 0;                                       ///< updates left out because of NaN
  int64_t optimizer_steps = 0;                               ///< updates made since the run began
  std::vector<LayerCosine> cosines;                          ///< with the exact gradient; empty: not measured
  std::vector<LayerRate> rates;                              ///< while training
  double validation_loss = -1, validation_accuracy = -1, test_loss = -1, test_accuracy = -1;
  double best_test_accuracy = -1;  ///< so far, this epoch included
  int64_t best_test_epoch = 0;
  double seconds = 0, evaluation_seconds = 0, samples_per_second = 0, peak_memory_mib = 0;
};
Config to_json(const EpochReport& report);

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_batch(const BatchReport&) {}
  virtual void on_epoch(const EpochReport&) {}
  /// One line worth knowing; `warning` if something may be wrong.
  virtual void on_message(const std::string& /*text*/, bool /*warning*/) {}
};

}  // namespace spiketrain
