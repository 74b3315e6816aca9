// spiketrain train RECIPE.toml: recipe -> experiment -> run directory -> Trainer::run.
#include <csignal>
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/progress.h"
#include "revision.h"
#include "spiketrain/base/file.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain::cli {
namespace {

struct TrainCommand {
  std::string recipe, data_dir, out, device = "cpu";
  std::vector<std::string> sets;
  bool resume = false;
  int threads = 0;
};

std::atomic<bool> stop_requested{false};
volatile std::sig_atomic_t stop_signal = 0;

/// The first signal asks for a clean end; the handler is then gone, so a second one ends the process at once.
void request_stop(int signal) {
  stop_signal = signal;
  stop_requested = true;
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = request_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Recipe read_recipe(const TrainCommand& command) {
  ST_CHECK(!command.recipe.empty() || command.resume, "train: expected a recipe; see the folder recipes/");
  const bool from_run = command.recipe.empty();
  ST_CHECK(!from_run || !command.out.empty(),
           "train --resume: expected a recipe, or the run directory as --out");
  ST_CHECK(!from_run || file_exists(command.out + "/config.toml"), "train --resume: no run in ", command.out,
           " yet (no config.toml); give the recipe");
  Config config = load_config(from_run ? command.out + "/config.toml" : command.recipe);
  for (const std::string& assignment : command.sets) apply_set(config, assignment);
  return make_recipe(config);
}

void introduce(ConsoleObserver& console, const Experiment& e, int threads, const std::string& device,
               const std::string& out) {
  const auto name = [](const Config& part) { return part.at("name").get<std::string>(); };
  const Recipe& r = e.recipe;
  if (!r.title.empty()) console.line(r.title);
  console.line("network   " + e.network->spec() + "  (" + thousands(e.network->parameter_count()) +
               " parameters)");
  console.line("method    rule " + name(r.rule) + ", neuron " + name(r.neuron) + ", objective " +
               name(r.objective) + ", T = " + std::to_string(r.steps) + ", seed " + std::to_string(r.seed));
  console.line("data      " + e.data.train->describe());
  console.line("machine   " + device + ", " + std::to_string(threads) +
               (threads == 1 ? " thread" : " threads") + ", SIMD " + active_isa());
  console.line("writes    " + out);
}

std::string continue_command(const TrainCommand& command) {
  std::string text = "spiketrain train --resume --out " + shell_word(command.out);
  if (!command.data_dir.empty()) text += " --data-dir " + shell_word(command.data_dir);
  if (command.device != "cpu") text += " --device " + command.device;
  if (command.threads > 0) text += " --threads " + std::to_string(command.threads);
  return text;
}

int run_train(TrainCommand command) {
  keep_memory();
  const int threads = set_threads(command.threads);
  const torch::Device device = parse_device(command.device);
  const Recipe recipe = read_recipe(command);
  if (command.out.empty()) command.out = "runs/" + std::filesystem::path(command.recipe).stem().string();
  Experiment experiment = build_experiment(recipe, open_datasets(recipe, command.data_dir), device);

  RunDir dir(command.out, command.resume);
  ConsoleObserver console(&dir);
  TrainerOptions options;
  options.run_dir = &dir;
  options.observer = &console;
  options.stop = &stop_requested;
  options.environment = environment(ST_VERSION " " ST_REVISION);
  options.environment["device"] = command.device;

  introduce(console, experiment, threads, command.device, command.out);
  Trainer trainer(experiment, options);
  if (command.resume) trainer.resume();
  dir.write_config(resolve(recipe));
  dir.write_json("environment.json", options.environment);
  catch_signals();
  if (!trainer.run()) {
    console.line("stopped; continue with: " + continue_command(command));
    return 128 + stop_signal;
  }
  const Progress& done = trainer.progress();
  std::string end = "done: last epoch " + percent(done.last_test) + ", best test " + percent(done.best_test) +
                    " (epoch " + std::to_string(done.best_test_epoch) + ")";
  if (done.best_validation_epoch > 0) {
    end += ", test at best validation " + percent(done.test_at_best_validation) + " (epoch " +
           std::to_string(done.best_validation_epoch) + ")";
  }
  if (done.epoch == 0) end = "done: no epochs";
  console.line(end + "; " + duration(done.seconds));
  return kOk;
}

}  // namespace

void add_train(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<TrainCommand>();
  CLI::App* sub = app.add_subcommand("train", "train the network a recipe describes");
  sub->add_option("recipe", command->recipe, "recipe (TOML); with --resume the run's own by default");
  sub->add_option("--set", command->sets,
                  "override an option, e.g. --set epochs=3 --set rule.name=bptt --set 'rule={name=\"bptt\"}'")
      ->allow_extra_args(false);
  add_data_dir(*sub, command->data_dir);
  sub->add_option("--out", command->out, "run directory (default: runs/<recipe>)");
  sub->add_flag("--resume", command->resume, "continue from the newest checkpoint of the run directory");
  sub->add_option("--device", command->device, "cpu or cuda")->capture_default_str();
  sub->add_option("--threads", command->threads, "0: all cores")->capture_default_str();
  sub->callback([command, &exit_code] { exit_code = run_train(*command); });
}

}  // namespace spiketrain::cli
