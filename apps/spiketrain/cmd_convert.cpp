// spiketrain convert RUN --out DIR: a run of analog neurons as a run directory of spiking ones.
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/trained.h"
#include "revision.h"
#include "spiketrain/recipe/conversion.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/train/resume.h"
#include "spiketrain/train/run_dir.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/version.h"

namespace spiketrain::cli {
namespace {

struct ConvertCommand {
  TrainedRun from;
  std::string out;
  int64_t steps = 0;
};

/// A run directory that no process has trained in, with weights to evaluate or to begin with.
void write_converted(const ConvertCommand& command, const Experiment& made) {
  RunInfo info;
  info.config = made.training.config;
  info.environment = environment(ST_VERSION " " ST_REVISION);
  info.data = fingerprint(made.training.data);
  RunDir dir(command.out, /*resume=*/false);
  std::filesystem::create_directories(dir.checkpoints());
  save_weights(dir.checkpoints() + "/best.safetensors", made.training.network(), info, {});
  dir.write_json("environment.json", info.environment);
  dir.write_text("config.toml", write_toml(info.config));
  dir.log("converted from " + command.from.run);
}

void run_convert(const ConvertCommand& command) {
  prepare_process(nullptr, 0);
  ST_CHECK(!command.out.empty(), "convert: expected --out DIR");
  ST_CHECK(!std::filesystem::exists(command.out) || std::filesystem::is_empty(command.out),
           "convert --out: ", command.out, " holds files; give a folder that is empty or not there yet");
  const Trained analog = load_trained(command.from, torch::kCPU);
  const Recipe recipe = spiking_recipe(analog.experiment.recipe, command.steps);
  const Experiment made = build_experiment(recipe, open_datasets(recipe, command.from.data_dir), torch::kCPU);
  const std::vector<ConvertedLayer> layers =
      convert_weights(analog.experiment.training.network(), made.training.network());
  write_converted(command, made);

  std::vector<std::vector<std::string>> rows = {{"node", "layer", "a spike stands for"}};
  for (const ConvertedLayer& layer : layers) rows.push_back({layer.node, layer.notation, number(layer.up)});
  print_table(rows);
  const std::string weights = command.out + "/ckpt/best.safetensors";
  std::cout << "network " << made.training.network().notation() << ", neuron if, T = " << recipe.steps
            << "\nwrote " << command.out << "\n  evaluate it:  spiketrain eval " << shell_word(command.out)
            << "\n  train it on:  spiketrain train " << shell_word(command.out + "/config.toml") << " --init "
            << shell_word(weights) << " --out NEW\n";
}

}  // namespace

void add_convert(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<ConvertCommand>();
  command->from.command = "convert";
  CLI::App* sub =
      app.add_subcommand("convert", "make a spiking network of a trained analog one (neuron qcfs)");
  add_trained(*sub, command->from);
  add_out(*sub, command->out, "new run directory");
  sub->add_option("--steps", command->steps,
                  "time steps T of the spiking network; default: levels of the neurons")
      ->check(CLI::Range(int64_t{1}, int64_t{100000}));
  sub->callback([command, &exit_code] {
    run_convert(*command);
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
