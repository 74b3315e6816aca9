// spiketrain eval RUN_DIR: loss and accuracy of a run's weights.
#include <cmath>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
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

std::string find_checkpoint(const EvalCommand& command) {
  const std::string dir = command.run + "/ckpt";
  if (command.checkpoint == "best") {
    const std::string best = dir + "/best.safetensors";
    ST_CHECK(file_exists(best), "eval: ", best, " does not exist; no epoch is complete yet");
    return best;
  }
  if (command.checkpoint != "last") return command.checkpoint;
  const std::vector<std::string> all = list_checkpoints(dir);
  ST_CHECK(!all.empty(), "eval: no checkpoint in ", dir);
  return all.front();
}

int run_eval(const EvalCommand& command) {
  keep_memory();
  set_threads(command.threads);
  const torch::Device device = parse_device(command.device);
  Config config = load_config(command.run + "/config.toml");
  if (!command.data.empty()) config["data"]["name"] = command.data;
  const Recipe recipe = make_recipe(config);
  const Experiment experiment = build_experiment(recipe, open_datasets(recipe, command.data_dir), device);
  const std::string path = find_checkpoint(command);
  load_weights(SafetensorsFile::open(path), *experiment.network);

  const auto& data = command.split == "train"        ? experiment.data.train
                     : command.split == "validation" ? experiment.data.validation
                                                     : experiment.data.test;
  ST_CHECK(data, "eval: the recipe has no validation split (data.validation = 0)");
  const Evaluation result =
      evaluate(experiment, *data, command.batch > 0 ? command.batch : recipe.data.batch);
  if (!std::isfinite(result.loss)) {
    throw NumericError(str("eval: loss ", result.loss, " with the weights of ", path));
  }
  if (command.json) {
    Config json = {{"checkpoint", path},        {"data", recipe.data.name}, {"split", command.split},
                   {"samples", result.samples}, {"loss", result.loss},      {"accuracy", result.accuracy},
                   {"seconds", result.seconds}, {"rates", Config::array()}};
    for (const LayerRate& layer : result.rates)
      json["rates"].push_back({{"layer", layer.spec}, {"rate", layer.rate}});
    std::cout << json.dump() << '\n';
    return kOk;
  }
  std::cout << data->describe() << "\n" << path << "\n";
  std::cout << "accuracy " << percent(result.accuracy) << "  loss " << number(result.loss, 6) << "  samples "
            << thousands(result.samples) << "  " << duration(result.seconds) << "\n";
  std::vector<std::vector<std::string>> rows = {{"layer", "firing rate"}};
  for (const LayerRate& layer : result.rates) rows.push_back({layer.spec, percent(layer.rate)});
  print_table(rows);
  return kOk;
}

}  // namespace

void add_eval(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* sub = app.add_subcommand("eval", "measure a run's weights on a data set");
  sub->add_option("run", command->run, "run directory")->required();
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
