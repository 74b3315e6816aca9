// The weights of a run, and the run with its weights, for commands that use what was trained.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain::cli {

/// Which weights.
struct SavedRun {
  std::string command;  ///< for messages
  std::string run, checkpoint = "best";

  bool is_file() const;  ///< run is a file of weights by itself
};

/// Which run, and on which data.
struct TrainedRun : SavedRun {
  std::string data, data_dir;
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

/// The experiment of a run with the weights of its checkpoint.  Errors as open_weights().
Trained load_trained(const TrainedRun& from, torch::Device device);

}  // namespace spiketrain::cli
