// The network of a run with its weights, for commands that use what was trained.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "spiketrain/recipe/experiment.h"

namespace spiketrain::cli {

/// Which run, and on which data.
struct TrainedRun {
  std::string command;  ///< for messages
  std::string run, checkpoint = "best", data, data_dir;
};

/// Adds the arguments that name a run.
void add_trained(CLI::App& command, TrainedRun& from);

struct Trained {
  std::string path;  ///< of the weights
  Experiment experiment;
};

/// The experiment of a run with the weights of its checkpoint; loads the plugins that they need.  UsageError if there is none.
Trained load_trained(const TrainedRun& from, torch::Device device);

}  // namespace spiketrain::cli
