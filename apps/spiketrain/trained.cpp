// The network of a run with its weights, for commands that use what was trained.
#include "apps/spiketrain/trained.h"

#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain::cli {
namespace {

/// The newest checkpoint in a folder that can be read.
SafetensorsFile last_checkpoint(const std::string& dir, const std::string& command) {
  const std::vector<std::string> all = list_checkpoints(dir);
  ST_CHECK(!all.empty(), command, ": no checkpoint in ", dir);
  for (const std::string& path : all) {
    try {
      return open_checkpoint(path);
    } catch (const DataError& error) {
      std::cerr << "spiketrain: warning: checkpoint cannot be read, trying the one before: " << error.what()
                << std::endl;
    }
  }
  throw DataError(all.front(), 0, str("none of ", all.size(), " checkpoints can be read"));
}

/// The weights, and the recipe they were trained with.
struct Weights {
  SafetensorsFile file;
  Config config;
};

/// Loads the plugins that they need, too.
Weights find_weights(const TrainedRun& from) {
  if (std::filesystem::path(from.run).extension() == ".safetensors") {
    SafetensorsFile file = open_checkpoint(from.run);
    load_plugins_of(checkpoint_environment(file), from.run);
    Config config = checkpoint_config(file);
    return {std::move(file), std::move(config)};
  }
  ST_CHECK(file_exists(from.run + "/config.toml"), from.command, ": ", from.run,
           " is no run directory; expected one that `spiketrain train --out` wrote, or a .safetensors file");
  // Not the plugins that a checkpoint names: they may have moved since it was written, and the run knows where to.
  load_plugins_of_run(from.run);
  const Config config = load_config(from.run + "/config.toml");
  const std::string dir = from.run + "/ckpt";
  if (from.checkpoint == "last") return {last_checkpoint(dir, from.command), config};
  const bool is_file = std::filesystem::path(from.checkpoint).extension() == ".safetensors";
  ST_CHECK(from.checkpoint == "best" || is_file, from.command,
           " --checkpoint: expected best, last or a .safetensors file, got ", from.checkpoint);
  if (from.checkpoint != "best") return {open_checkpoint(from.checkpoint), config};
  const std::string best = dir + "/best.safetensors";
  ST_CHECK(file_exists(best), from.command, ": ", best, " does not exist; no epoch is complete yet");
  return {open_checkpoint(best), config};
}

}  // namespace

Trained load_trained(const TrainedRun& from, torch::Device device) {
  Weights weights = find_weights(from);
  if (!from.data.empty()) weights.config["data"]["name"] = from.data;
  const Recipe recipe = make_recipe(weights.config);
  Experiment experiment = build_experiment(recipe, open_datasets(recipe, from.data_dir), device);
  load_weights(weights.file, experiment.training.network());
  return {weights.file.path(), std::move(experiment)};
}

void add_trained(CLI::App& command, TrainedRun& from) {
  command.add_option("run", from.run, "run directory, or a checkpoint by itself")->required();
  command.add_option("--checkpoint", from.checkpoint, "best, last, or a .safetensors file")
      ->capture_default_str();
  command.add_option("--data", from.data, "another data set of the same shape");
  add_data_dir(command, from.data_dir);
}

}  // namespace spiketrain::cli
