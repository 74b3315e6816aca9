// Numbers of a sweep, read from its run directories (summary.json, metrics.jsonl, cost.json), and their mean
// and standard deviation over the seeds of each setting.  What a run did not record stays absent; it is never
// 0. Tests: unit/sweep_results_test.cpp.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spiketrain/train/sweep.h"

namespace spiketrain {

using Measured = std::optional<double>;

/// What can be a column.  Accuracies are fractions; costs are per sample, as cost.json has them.
enum class Metric {
  best_test,
  last_test,
  test_at_best_validation,
  train,            ///< accuracy over the last epoch's training batches
  gap,              ///< train - last_test
  epoch_seconds,    ///< mean over epochs, without evaluation
  peak_memory_mib,  ///< largest over epochs
  optimizer_steps,  ///< recorded, else batches * updates per batch - skipped updates
  ac,
  mac_error,
  mac_weight,
  mac_forward,
  mac,  ///< mac_forward + mac_error + mac_weight
  vector_ops,
  memory_words,
  activation_bytes_predicted,
  activation_bytes_measured,
  energy_uj,
  cosine,  ///< gradient cosine, mean over layers
};
constexpr size_t kMetrics = static_cast<size_t>(Metric::cosine) + 1;

struct RunResult {
  std::vector<Measured> metrics = std::vector<Measured>(kMetrics);
  std::vector<std::pair<std::string, Measured>> cosines;  ///< per layer, mean over the epochs that have it
  std::vector<Measured> test_by_epoch;
  Measured operator[](Metric m) const { return metrics[static_cast<size_t>(m)]; }
};
/// Reads a run directory.  `updates_per_batch` counts optimiser steps where the run did not.  DataError if a
/// file is missing (cost.json may be) or not as expected.
RunResult read_run(const std::string& run_dir, int64_t updates_per_batch);

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
  size_t done = 0, planned = 0;  ///< seeds
  std::vector<std::optional<Stat>> metrics = std::vector<std::optional<Stat>>(kMetrics);
  std::vector<std::optional<Stat>> cosines;        ///< [layer of SweepResults]
  std::vector<std::optional<Stat>> test_by_epoch;  ///< [epoch]
  const std::optional<Stat>& operator[](Metric m) const { return metrics[static_cast<size_t>(m)]; }
};
struct SweepResults {
  std::string title;
  std::vector<std::string> keys, short_names;
  std::vector<int64_t> seeds;
  std::vector<SettingResult> settings;
  std::vector<std::string> layers;  ///< that have a gradient cosine; "15C5 #2" for the second of that name
  std::vector<std::string> incomplete;  ///< "run: why" of runs that are not in the numbers
  std::string steps_warning;            ///< "" if the settings made the same number of optimiser steps
  bool has(Metric m) const;             ///< some setting has it
};
/// Reads the finished runs below `runs_dir`.  `failures`: reasons of failed runs by name.  A finished run
/// that cannot be read is one of `incomplete`.
SweepResults collect(const SweepPlan& plan, const std::string& title, const std::string& runs_dir,
                     const std::map<std::string, std::string>& failures);

}  // namespace spiketrain
