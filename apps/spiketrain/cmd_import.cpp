// spiketrain import GRAPH.nir --out DIR: a run directory with the network, its weights and a recipe to go on with.
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "revision.h"
#include "spiketrain/data/source.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/import.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/train/run_dir.h"
#include "spiketrain/version.h"

namespace spiketrain::cli {
namespace {

struct ImportCommand {
  std::string graph, out;
  NirImportOptions options;
  std::vector<std::string> sets;
};

std::string shape_words(const Shape& shape) {
  std::vector<std::string> sides;
  for (const int64_t side : shape) sides.push_back(std::to_string(side));
  return join(sides, "x");
}

/// What the recipe does not know: the data, the steps, the objective.
Recipe recipe_of(const ImportCommand& command, const std::string& weights) {
  Config config = {{"title", "imported from " + std::filesystem::path(command.graph).filename().string()}};
  config["network"] = {{"name", "saved"}, {"file", weights}};
  config["rule"] = {{"name", "bptt"}};
  config["objective"] = {{"name", "rate_ce"}};
  return overridden(config, command.sets);
}

/// Whether the recipe's data are of the network's shapes.
std::string data_note(const Recipe& recipe, const Network& network) {
  const DatasetInfo data = dataset_info(recipe.data.name);
  const bool input = numel(data.shape) == 0 || numel(data.shape) == numel(network.input_shape());
  const bool output = numel(data.target.shape) == 0 || data.target.shape == network.out_shape();
  if (data.events || (input && output)) return "";
  return str("the recipe's data set ", recipe.data.name, " has samples of ", shape_words(data.shape), " and ",
             shape_words(data.target.shape), " outputs, the network takes ",
             shape_words(network.input_shape()), " and gives ", shape_words(network.out_shape()),
             "; choose another with --set data.name=...");
}

void run_import(const ImportCommand& command) {
  ST_CHECK(!command.out.empty(), "import: expected --out DIR");
  ST_CHECK(!std::filesystem::exists(command.out) || std::filesystem::is_empty(command.out),
           "import --out: ", command.out, " holds files; give a folder that is empty or not there yet");
  const NirGraph graph = read_nir(command.graph);
  const NirImport imported = network_from_nir(graph, command.options);
  const Network& network = *imported.network;

  const std::string weights = command.out + "/ckpt/best.safetensors";
  const Recipe recipe = recipe_of(command, weights);
  // All that can be refused comes before the folder.
  std::vector<std::string> notes = imported.notes;
  if (const std::string note = data_note(recipe, network); !note.empty()) notes.push_back(note);
  RunInfo info;
  info.config = resolve(recipe);
  RunDir dir(command.out, /*resume=*/false);
  info.environment = environment(ST_VERSION " " ST_REVISION);
  std::filesystem::create_directories(dir.checkpoints());
  save_weights(weights, network, info, {});
  dir.write_json("environment.json", info.environment);
  dir.write_text("config.toml", write_toml(info.config));

  for (const std::string& note : notes) {
    dir.log("note: " + note);
    std::cout << "note: " << note << '\n';
  }
  const std::string config = command.out + "/config.toml";
  std::cout << "network " << network.notation() << ": " << thousands(network.parameter_count())
            << " parameters, input " << shape_words(network.input_shape()) << ", output "
            << shape_words(network.out_shape()) << "\nwrote " << command.out
            << "\n  look at it:   spiketrain inspect " << shell_word(command.out)
            << "\n  evaluate it:  spiketrain eval " << shell_word(command.out)
            << "\n  train it on:  spiketrain train " << shell_word(config) << '\n';
}

}  // namespace

void add_import(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<ImportCommand>();
  CLI::App* sub = app.add_subcommand("import", "make a network and a recipe from a NIR graph");
  NirImportOptions& options = command->options;
  sub->add_option("graph", command->graph, "GRAPH.nir")->required();
  add_out(*sub, command->out, "new run directory");
  sub->add_option("--dt", options.dt, "seconds a step; default: what the file says or suggests")
      ->check(CLI::PositiveNumber);
  sub->add_option("--reset", options.reset,
                  "zero: set to v_reset, the default; subtract: minus the threshold; none: no reset");
  sub->add_option("--reset-delay", options.reset_delay,
                  "true: the reset is part of the next step, without gradient; false, the default");
  sub->add_option("--threshold", options.threshold,
                  "strict: fires above the threshold, the default; at: at it, too");
  sub->add_option(
      "--order", options.order,
      "synaptic current that a membrane sees: new, that of its own step, the default; old, that of the step before");
  sub->add_option("--start", options.start,
                  "membranes before the first step: zero, the default; rest: v_leak");
  sub->add_option("--surrogate", options.surrogate, "of the spiking neurons, for training");
  sub->add_option("--surrogate-scale", options.surrogate_scale, "the surrogate's own number; 0: its default");
  sub->add_option("--set", command->sets, "a recipe option, e.g. --set data.name=mnist --set steps=20")
      ->allow_extra_args(false);
  sub->callback([command, &exit_code] {
    run_import(*command);
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
