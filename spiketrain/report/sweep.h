// Sweep = one recipe run over a grid of options and seeds.
//   grid        recipe with its assignments, axes (an option and its values), seeds
//   setting     one value per axis; its runs differ in the seed only
//   OUT/sweep.json      the grid; a sweep into the same OUT must have the same
//   OUT/recipe.toml     the recipe that every run starts from
//   OUT/runs/NAME       one run directory each
// Starting processes is the program's business; what is here decides what runs, under which name, and in
// which state a run directory is.  sweep_results.h reads the finished ones.
// Tests: unit/sweep_test.cpp, unit/sweep_cli_test.cpp.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

/// One swept option; values as they were typed, and as apply_set reads them.
struct SweepAxis {
  std::string key;
  std::vector<std::string> values;
};

/// "KEY=V1,V2,..."; commas inside brackets, braces and quotes belong to a value.  UsageError if it is
/// malformed, a value is empty or comes twice, or brackets or quotes stay open.
SweepAxis parse_axis(const std::string& text);

/// "1,2,3"; UsageError if one is not an integer >= 0 or comes twice.
std::vector<int64_t> parse_seeds(const std::string& text);

struct SweepGrid {
  Config base;  ///< the recipe with the assignments of --set, not yet resolved
  std::vector<SweepAxis> axes;
  std::vector<int64_t> seeds;
};
/// UsageError if an axis comes twice, sets the seed, or is assigned by one of `sets` too.
SweepGrid make_grid(Config recipe, const std::vector<std::string>& sets, std::vector<SweepAxis> axes,
                    std::vector<int64_t> seeds);
Config to_json(const SweepGrid& grid);
/// What `now` has other than the stored `before`, in one line; "" if they are the same grid.
std::string grid_difference(const Config& before, const Config& now);

/// The key as people read it: the last part if no other axis has it, "rule" for "rule.name".
std::vector<std::string> short_keys(const SweepGrid& grid);
/// Value for people: strings without quotes unless they could be taken for something else.
std::string value_label(const std::string& value);
/// Letters, digits and any of "._+-" in `text`; if that loses anything, a mark that tells it from others.
std::string file_name_part(const std::string& text);

/// One value per axis.
struct SweepSetting {
  std::vector<size_t> at;           ///< index of the value on each axis
  std::vector<std::string> values;  ///< their labels
  std::string label;                ///< "window=2, size=all"; "recipe" if nothing is swept
};
struct SweepRun {
  size_t setting = 0;
  int64_t seed = 0;
  std::string name;               ///< of its folder: "window=2_size=all_seed=1"
  std::vector<std::string> sets;  ///< assignments on top of the grid's base
  int64_t updates_per_batch = 1;  ///< optimiser steps, by the schedule
};
/// A metric of the runs; "loss" if they have none.
struct SweepMetric {
  std::string label;
  bool greater_is_better = true;
};
struct SweepPlan {
  std::vector<std::string> keys, short_names;  ///< of the axes
  std::vector<int64_t> seeds;
  std::vector<SweepSetting> settings;  ///< the last axis changes fastest
  std::vector<SweepRun> runs;          ///< setting by setting, seed by seed
  std::vector<SweepMetric> metrics;    ///< of all settings; the first decides which epoch of a run is best
  std::optional<double> chance;        ///< accuracy of guessing, if it is the same for all settings and known
  bool unequal_updates = false;        ///< settings differ in updates_per_batch
};
/// Builds every run's recipe.  UsageError, which names the run, if one is not valid; if two runs would be the
/// same, or if there are too many.
SweepPlan plan_sweep(const SweepGrid& grid);

enum class RunState { fresh, started, done };
/// State of a run directory; `started`: it holds something, and training goes on with --resume.
RunState run_state(const std::string& run_dir);

}  // namespace spiketrain
