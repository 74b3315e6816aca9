// The weights of a run, and the run with its weights, for commands that use what was trained.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain::cli {

/// Which weights.
struct SavedRun {
  std::string command;  ///< for messages
  std::string run, checkpoint = "best";

  bool is_file() const;  ///< run is a file of weights by itself
};

/// Which run, on which data, and as what network.
struct TrainedRun : SavedRun {
  std::string data, data_dir;
  std::string as;                 ///< a recipe whose network reads the weights; empty: the run's own
  std::vector<std::string> sets;  ///< "section.key=value" of that recipe, or of the run's own
};

/// Adds the arguments that name weights.
void add_saved(CLI::App& command, SavedRun& from);
/// Adds the arguments that name a run and its data.
void add_trained(CLI::App& command, TrainedRun& from);

/// Adds --split: train, validation or test.
void add_split(CLI::App& command, std::string& split);
/// Loads the plugins that the network needs, too.  UsageError if there is no such run or no complete epoch; DataError for damage.
SafetensorsFile open_weights(const SavedRun& from);

struct Trained {
  std::string path;  ///< of the weights
  Experiment experiment;
};

/// The experiment of a run, or of another recipe, with the weights of the run's checkpoint.  Errors as open_weights(), and UsageError
/// if the network has other weights.
Trained load_trained(const TrainedRun& from, torch::Device device);

}  // namespace spiketrain::cli
