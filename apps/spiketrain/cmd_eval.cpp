// spiketrain eval RUN_DIR | FILE.safetensors: loss and metrics of a run's weights.
#include <cmath>
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct EvalCommand {
  std::string run, checkpoint = "best", data, data_dir, split = "test", device = "cpu";
  int threads = 0;
  int64_t batch = 0;
  bool json = false;
};

/// The newest checkpoint in a folder that can be read.
SafetensorsFile last_checkpoint(const std::string& dir) {
  const std::vector<std::string> all = list_checkpoints(dir);
  ST_CHECK(!all.empty(), "eval: no checkpoint in ", dir);
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
Weights find_weights(const EvalCommand& command) {
  if (std::filesystem::path(command.run).extension() == ".safetensors") {
    SafetensorsFile file = open_checkpoint(command.run);
    load_plugins_of(checkpoint_environment(file), command.run);
    Config config = checkpoint_config(file);
    return {std::move(file), std::move(config)};
  }
  ST_CHECK(file_exists(command.run + "/config.toml"), "eval: ", command.run,
           " is no run directory; expected one that `spiketrain train --out` wrote, or a .safetensors file");
  // Not the plugins that a checkpoint names: they may have moved since it was written, and the run knows where to.
  load_plugins_of_run(command.run);
  const Config config = load_config(command.run + "/config.toml");
  const std::string dir = command.run + "/ckpt";
  if (command.checkpoint == "last") return {last_checkpoint(dir), config};
  const bool is_file = std::filesystem::path(command.checkpoint).extension() == ".safetensors";
  ST_CHECK(command.checkpoint == "best" || is_file,
           "eval --checkpoint: expected best, last or a .safetensors file, got ", command.checkpoint);
  if (command.checkpoint != "best") return {open_checkpoint(command.checkpoint), config};
  const std::string best = dir + "/best.safetensors";
  ST_CHECK(file_exists(best), "eval: ", best, " does not exist; no epoch is complete yet");
  return {open_checkpoint(best), config};
}

struct Trained {
  std::string path;  ///< of the weights
  Experiment experiment;
};

Trained load_trained(const EvalCommand& command, torch::Device device) {
  Weights weights = find_weights(command);
  if (!command.data.empty()) weights.config["data"]["name"] = command.data;
  const Recipe recipe = make_recipe(weights.config);
  Experiment experiment = build_experiment(recipe, open_datasets(recipe, command.data_dir), device);
  load_weights(weights.file, experiment.training.network());
  return {weights.file.path(), std::move(experiment)};
}

void print_json(const EvalCommand& command, const std::string& path, const std::string& data,
                const Evaluation& result) {
  Config json = {{"checkpoint", path},
                 {"data", data},
                 {"split", command.split},
                 {"samples", result.samples},
                 {"loss", result.loss}};
  for (const auto& [metric, value] : result.metrics) json[metric] = value;
  json["seconds"] = result.seconds;
  json["rates"] = Config::array();
  for (const LayerRate& layer : result.rates)
    json["rates"].push_back({{"layer", layer.spec}, {"rate", layer.rate}});
  std::cout << json.dump() << '\n';
}

void print_text(const Training& training, const Evaluation& result) {
  const MetricSet metrics(training.metrics, training.learner->parts().target);
  std::string text;
  for (const std::string& metric : metrics.labels())
    if (metric != "loss") text += metric + " " + metric_text(metric, result.at(metric)) + "  ";
  std::cout << text << "loss " << number(result.loss, 6) << "  samples " << thousands(result.samples) << "  "
            << duration(result.seconds) << "\n";
  std::vector<std::vector<std::string>> rows = {{"layer", "firing rate"}};
  for (const LayerRate& layer : result.rates) rows.push_back({layer.spec, percent(layer.rate)});
  print_table(rows);
}

int run_eval(const EvalCommand& command) {
  prepare_process(nullptr, command.threads);  // main.cpp has seen to the waiting
  const torch::Device device = parse_device(command.device);
  const Trained trained = load_trained(command, device);
  const Recipe& recipe = trained.experiment.recipe;
  const Training& training = trained.experiment.training;
  const auto& data = command.split == "train"        ? training.data.train
                     : command.split == "validation" ? training.data.validation
                                                     : training.data.test;
  ST_CHECK(data, "eval: the recipe has no validation split (data.validation = 0)");
  const Evaluation result = evaluate(training, *data, command.batch > 0 ? command.batch : recipe.data.batch);
  if (!std::isfinite(result.loss))
    throw NumericError(str("eval: loss ", result.loss, " with the weights of ", trained.path));
  if (command.json) {
    print_json(command, trained.path, recipe.data.name, result);
    return kOk;
  }
  std::cout << data->describe() << "\n" << trained.path << "\n";
  print_text(training, result);
  return kOk;
}

}  // namespace

void add_eval(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* sub = app.add_subcommand("eval", "measure a run's weights on a data set");
  sub->add_option("run", command->run, "run directory, or a checkpoint by itself")->required();
  sub->add_option("--checkpoint", command->checkpoint, "best, last, or a .safetensors file")
      ->capture_default_str();
  sub->add_option("--data", command->data, "another data set of the same shape");
  add_data_dir(*sub, command->data_dir);
  sub->add_option("--split", command->split, "which samples")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
  sub->add_option("--batch", command->batch, "samples per batch; 0: as in training")
      ->check(CLI::Range(0, 1000000));
  sub->add_option("--device", command->device, "cpu or cuda")->capture_default_str();
  sub->add_option("--threads", command->threads, "0: all cores")->capture_default_str();
  sub->add_flag("--json", command->json, "one JSON object instead of text");
  sub->callback([command, &exit_code] { exit_code = run_eval(*command); });
}

}  // namespace spiketrain::cli
