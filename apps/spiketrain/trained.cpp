// The network of a run with its weights, for commands that use what was trained.
#include "apps/spiketrain/trained.h"

#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
#include "spiketrain/recipe/overrides.h"
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

bool is_safetensors(const std::string& path) {
  return std::filesystem::path(path).extension() == ".safetensors";
}

}  // namespace

bool SavedRun::is_file() const { return is_safetensors(run); }

SafetensorsFile open_weights(const SavedRun& from) {
  if (from.is_file()) {
    ST_CHECK(from.checkpoint == "best", from.command, " --checkpoint: ", from.run,
             " is a file of weights by itself; leave --checkpoint out, or give the run directory");
    SafetensorsFile file = open_checkpoint(from.run);
    load_plugins_of(checkpoint_environment(file), from.run);
    return file;
  }
  ST_CHECK(file_exists(from.run + "/config.toml"), from.command, ": ", from.run,
           " is no run directory; expected one that `spiketrain train --out` wrote, or a .safetensors file");
  // Not the plugins that a checkpoint names: they may have moved since it was written, and the run knows where to.
  load_plugins_of_run(from.run);
  const std::string dir = from.run + "/ckpt";
  if (from.checkpoint == "last") return last_checkpoint(dir, from.command);
  ST_CHECK(from.checkpoint == "best" || is_safetensors(from.checkpoint), from.command,
           " --checkpoint: expected best, last or a .safetensors file, got ", from.checkpoint);
  if (from.checkpoint != "best") return open_checkpoint(from.checkpoint);
  const std::string best = dir + "/best.safetensors";
  ST_CHECK(file_exists(best), from.command, ": ", best, " does not exist; no epoch is complete yet");
  return open_checkpoint(best);
}

namespace {

/// Of the run that has written these weights; null if it was none.
Config seed_of(const SafetensorsFile& file) {
  const auto text = file.metadata().find("config");
  if (text == file.metadata().end()) return nullptr;
  const Config config = Config::parse(text->second, nullptr, /*allow_exceptions=*/false);
  return config.is_object() ? config.value("seed", Config()) : Config();
}

}  // namespace

Trained load_trained(const TrainedRun& from, torch::Device device) {
  const SafetensorsFile file = open_weights(from);
  Config config = !from.as.empty() ? load_config(from.as)
                  : from.is_file() ? checkpoint_config(file)
                                   : load_config(from.run + "/config.toml");
  // Built-in data are drawn by the seed: those that the weights were trained beside.
  if (const Config seed = seed_of(file); !from.as.empty() && !seed.is_null()) config["seed"] = seed;
  if (!from.data.empty()) config["data"]["name"] = from.data;
  const Recipe recipe = overridden(std::move(config), from.sets);
  Experiment experiment = build_experiment(recipe, open_datasets(recipe, from.data_dir), device);
  load_weights(file, experiment.training.network());
  return {file.path(), std::move(experiment)};
}

void add_split(CLI::App& command, std::string& split) {
  command.add_option("--split", split, "which samples")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
}

void add_saved(CLI::App& command, SavedRun& from) {
  command.add_option("run", from.run, "run directory, or a .safetensors file by itself")->required();
  command.add_option("--checkpoint", from.checkpoint, "of a run: best, last, or a .safetensors file")
      ->capture_default_str();
}

void add_trained(CLI::App& command, TrainedRun& from) {
  add_saved(command, from);
  command.add_option("--data", from.data, "another data set of the same shape");
  command
      .add_option(
          "--as", from.as,
          "a recipe whose network reads the weights, such as a spiking one those of an analog one; its data are drawn by the seed of the run")
      ->check(CLI::ExistingFile);
  command.add_option("--set", from.sets, "section.key=value: changes the recipe of the run, or of --as")
      ->allow_extra_args(false);
  add_data_dir(command, from.data_dir);
}

}  // namespace spiketrain::cli
