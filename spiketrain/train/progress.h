// Where a run stands, as a checkpoint keeps it.
// Tests: unit/checkpoint_test.cpp, unit/progress_test.cpp, train/resume_test.cpp.
#pragma once
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "spiketrain/core/context.h"
#include "spiketrain/train/metrics.h"

namespace spiketrain {

/// Sums over the training batches of one epoch so far.
struct EpochSums {
  double loss = 0, grad_norm = 0, seconds = 0;
  int64_t samples = 0, updates = 0, skipped = 0, clipped = 0;
  std::vector<double> layer_norms;     ///< of the gradients of each layer, see Trainer
  std::vector<double> head_losses;     ///< [block], without the output layer's
  std::vector<Tally::Count> activity;  ///< [slot]
  MetricTotals metrics;
  std::vector<double> penalties;  ///< of each regularizer
};

/// Best values of one metric; epochs count from 1, 0: none yet.
struct Best {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  double last_test = kNone, test = kNone, validation = kNone;
  double test_at_validation = kNone;  ///< on the test split in the epoch of the best validation
  int64_t test_epoch = 0, validation_epoch = 0;
};

/// `batch` batches of epoch `epoch` (counted from 0) are done.
struct Progress {
  int64_t epoch = 0, batch = 0, iteration = 0, optimizer_steps = 0;
  int64_t epochs = 0;  ///< that the run is to have
  EpochSums sums;
  std::map<std::string, Best> best;  ///< by metric; by "loss" if the run has none
  int64_t metrics_bytes = 0;         ///< length of metrics.jsonl
  double seconds = 0;                ///< of all epochs that are complete
};

/// Finite doubles survive unchanged; others are written as null and come back as NaN.
Config to_json(const Progress& progress);
/// UsageError if it is not what to_json writes.
Progress progress_from_json(const Config& json);

/// What an epoch measured on the splits.  True if it is the best so far by the first of metrics.labels(): on
/// the validation split if there is one, as it should be, or else on the test split, as papers report.
bool track_best(const MetricSet& metrics, int64_t epoch, const Scores& test, const Scores* validation,
                std::map<std::string, Best>& best);

/// Whether the validation split asks for an end, after an epoch: this metric, the first, has not improved there in so many epochs; 0: never.
bool out_of_patience(const Progress& progress, const std::string& metric, int64_t patience);

/// The results of a run, for summary.json: last_test_M, best_test_M, and with a validation split
/// best_validation_M and test_M_at_best_validation for each metric M; best_test_epoch and
/// best_validation_epoch of the first, those of another metric end in _M.
Config summarize(const MetricSet& metrics, const Progress& progress, bool validation);

}  // namespace spiketrain
