// Numbers of a sweep, read from its run directories (summary.json, metrics.jsonl, cost.json), and their mean
// and standard deviation over the seeds of each setting.  What a run did not record stays absent; it is never 0.
// Tests: unit/sweep_results_test.cpp.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spiketrain/report/sweep.h"

namespace spiketrain {

using Measured = std::optional<double>;

/// Whether a metric is a share of samples, which people read in percent.
bool is_share(const std::string& metric);

/// What a run has by name; costs are per sample, as cost.json has them.
///   for each metric M   best_test_M, last_test_M, test_M_at_best_validation, last_train_M (over the last epoch's
///                       training batches), gap_M (how much worse the test split is in the last epoch)
///   epoch_seconds       mean over epochs, without evaluation
///   peak_memory_mib     largest over epochs
///   optimizer_steps     recorded, else batches * updates per batch - skipped updates
///   ac mac_error mac_weight mac_forward vector memory_words energy_uj activation_bytes, and mac, the sum of the three
///   gradient_cosine     mean over layers
struct RunResult {
  std::map<std::string, double> values;
  std::vector<std::pair<std::string, Measured>> cosines;  ///< per layer, mean over the epochs that have it
  std::map<std::string, std::vector<Measured>> test_by_epoch;  ///< by metric
  Measured operator[](const std::string& name) const;
};
/// Reads a run directory.  `updates_per_batch` counts optimiser steps where the run did not.  DataError if a
/// file is missing (cost.json may be) or not as expected.
RunResult read_run(const std::string& run_dir, int64_t updates_per_batch,
                   const std::vector<SweepMetric>& metrics);

/// Over the seeds that have the value; the deviation is the sample's (n - 1), absent for one seed.
struct Stat {
  double mean = 0;
  std::optional<double> sd;
  size_t n = 0;
};
/// Absent if no value is.
std::optional<Stat> statistics(const std::vector<Measured>& values);

struct SettingResult {
  SweepSetting setting;
  size_t done = 0, planned = 0;                                           ///< seeds
  std::map<std::string, Stat> values;                                     ///< by name, see RunResult
  std::vector<std::optional<Stat>> cosines;                               ///< [layer of SweepResults]
  std::map<std::string, std::vector<std::optional<Stat>>> test_by_epoch;  ///< [metric][epoch]
  std::optional<Stat> operator[](const std::string& name) const;
};
struct SweepResults {
  std::string title;
  std::vector<std::string> keys, short_names;
  std::vector<int64_t> seeds;
  std::vector<SweepMetric> metrics;
  std::vector<SettingResult> settings;
  std::vector<std::string> layers;  ///< that have a gradient cosine; "15C5 #2" for the second of that name
  std::vector<std::string> incomplete;      ///< "run: why" of runs that are not in the numbers
  std::string steps_warning;                ///< "" if the settings made the same number of optimiser steps
  std::string chance_warning;               ///< "" unless no setting tells the classes apart
  bool has(const std::string& name) const;  ///< some setting has it
};
/// Reads the finished runs below `runs_dir`.  `failures`: reasons of failed runs by name.  A finished run
/// that cannot be read is one of `incomplete`.
SweepResults collect(const SweepPlan& plan, const std::string& title, const std::string& runs_dir,
                     const std::map<std::string, std::string>& failures);

}  // namespace spiketrain
