// What a run tells whoever watches it.  The library itself never prints.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "spiketrain/core/group.h"
#include "spiketrain/train/probe.h"
#include "spiketrain/train/progress.h"
#include "spiketrain/train/rates.h"
#include "spiketrain/train/run_dir.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

/// Before the first batch of a run, or of a resumed one.  References are valid during the call only.
struct BeginReport {
  const Training& training;
  const Progress& progress;                                            ///< iteration 0: the run is new
  RunDir* run_dir;                                                     ///< may be null
  std::function<void(const std::string& text, bool warning)> message;  ///< to all observers' on_message
};

/// Which stage of a run in several (recipe/tandem_stages.h), counted from 1; 0: the run has one.
struct StageOfRun {
  int64_t number = 0, of = 0;
};

/// After each batch.  References are valid during the call only.
struct BatchReport {
  const Progress& progress;
  const Network& network;
  const MetricSet&
      metrics;  ///< values(progress.sums.metrics): so far in this epoch; on a device other than the CPU
                ///< they are read at checkpoints only
  int64_t epochs, batches;
  double loss;  ///< of a sample: mean over this batch
  StageOfRun stage = {};
};

/// After each epoch, evaluation included.
struct EpochReport {
  int64_t epoch = 0, epochs = 0, iteration = 0;  ///< epoch counts from 1
  StageOfRun stage = {};
  double lr = 0;
  Scores train,
      test;  ///< train: the loss is the mean over the epoch's batches, metrics are counted while it learns
  std::optional<Scores> validation;
  double grad_norm = 0;  ///< mean over the epoch's updates
  std::vector<LayerNorm>
      grad_norms;  ///< of each layer and other stage that learns, mean over the epoch's updates, before clipping
  std::vector<double> head_losses;   ///< of the blocks' heads, lowest first
  int64_t skipped = 0;               ///< updates left out because of NaN
  int64_t clipped = 0;               ///< updates with a gradient that was clipped
  int64_t optimizer_steps = 0;       ///< updates made since the run began
  std::vector<LayerCosine> cosines;  ///< with the exact gradient; empty: not measured
  std::vector<LayerRate> rates;      ///< while training
  std::vector<std::pair<std::string, double>>
      penalties;                     ///< of the regularizers, by name: mean over the epoch's batches
  std::vector<std::string> labels;   ///< of the metrics, or "loss"; the first decides which epoch is best
  std::map<std::string, Best> best;  ///< by label, so far, this epoch included
  /// Of this process in a group, in a line of all its processes, while they trained: bytes sent; seconds that this one waited for others.
  std::optional<Group::Traffic> traffic = {};
  double seconds = 0, evaluation_seconds = 0, samples_per_second = 0, peak_memory_mib = 0;
};
/// A line of metrics.jsonl: "train_loss", "train_accuracy", ..., <split>_<metric>.
Config to_json(const EpochReport& report);

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_begin(const BeginReport&) {}
  virtual void on_batch(const BatchReport&) {}
  virtual void on_epoch(const EpochReport&) {}
  /// The run has ended, or was told to stop (`complete` is false).
  virtual void on_end(const Progress&, bool /*complete*/) {}
  /// One line worth knowing; `warning` if something may be wrong.
  virtual void on_message(const std::string& /*text*/, bool /*warning*/) {}
};

}  // namespace spiketrain
