// spiketrain train RECIPE.toml: recipe -> experiment -> run directory -> Trainer::run.
#include <csignal>
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/group_run.h"
#include "apps/spiketrain/progress.h"
#include "apps/spiketrain/signals.h"
#include "revision.h"
#include "spiketrain/base/file.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/parallel/own_cores.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/join_group.h"
#include "spiketrain/recipe/memory.h"
#include "spiketrain/recipe/run_training.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/train/metrics.h"
#include "spiketrain/train/resume.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/version.h"

namespace spiketrain::cli {
namespace {

struct TrainCommand {
  const CLI::App* line = nullptr;  ///< as it was given
  std::string recipe, data_dir, out, device = "cpu", init;
  std::vector<std::string> sets, redraw, freeze;
  bool resume = false, tensorboard = false;
  int threads = 0;
};

std::atomic<bool> stop_requested{false};
volatile std::sig_atomic_t stop_signal = 0;

volatile std::sig_atomic_t orders = 0;  ///< Ctrl-C and SIGTERM so far

/// A signal asks for a clean end, and a second Ctrl-C or SIGTERM ends the process at once.  A terminal that goes away may
/// tell of it more than once, and a closed pipe does at every line.
void request_stop(int signal) {
  if (signal == SIGINT || signal == SIGTERM) orders = orders + 1;
  if (orders > 1) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // comes when the handler has returned
  }
  stop_signal = signal;
  stop_requested = true;
}

void stop_on_signals() {
  for (const int signal : kStopSignals) handle_stop(signal, request_stop);
  handle_signal(SIGPIPE, request_stop);
}

/// Where the run is or will be.
std::string run_dir(const TrainCommand& command) {
  if (!command.out.empty()) return command.out;
  ST_CHECK(!command.recipe.empty(), "train --resume: expected a recipe, or the run directory as --out");
  return "runs/" + std::filesystem::path(command.recipe).stem().string();
}

Config read_config(const TrainCommand& command) {
  ST_CHECK(!command.recipe.empty() || command.resume, "train: expected a recipe; see the folder recipes/");
  const std::string dir = run_dir(command);
  if (command.resume) load_plugins_of_run(dir);
  if (!command.recipe.empty()) return load_config(command.recipe);
  ST_CHECK(file_exists(dir + "/config.toml"), "train --resume: no run in ", dir,
           " yet (no config.toml); give the recipe");
  return load_config(dir + "/config.toml");
}

/// Writes the options that stand for an option of the recipe over it.
Config with_options(Config config, const TrainCommand& command) {
  const auto set = [&](const char* option, const Config& value) {
    if (!value.empty()) apply_set(config, str(option, "=", value.dump()));
  };
  set("init.file", command.init.empty() ? Config() : Config(command.init));
  set("init.redraw", command.redraw);
  set("train.freeze", command.freeze);
  return config;
}

/// UsageError for what this command refuses, as far as it shows without the data.
void check_command(const TrainCommand& command, const Recipe& recipe) {
  check_recipe(recipe);
  const std::string before = run_dir(command) + "/config.toml";
  if (command.resume && file_exists(before))
    check_resumable(resolve(load_recipe(before)), resolve(recipe), resolved_options(recipe));
}

Experiment prepare(const TrainCommand& command) {
  const torch::Device device = parse_device(command.device);
  const Config config = with_options(read_config(command), command);
  try {
    const Recipe recipe = overridden(config, command.sets);
    Experiment experiment = build_experiment(recipe, open_datasets(recipe, command.data_dir), device);
    ST_CHECK(recipe.train.patience == 0 || experiment.training.data.validation, kPatienceNeedsValidation);
    begin_training(experiment, run_dir(command), command.resume);
    fit_memory(experiment);
    return experiment;
  } catch (const UsageError& error) {
    const auto check = [&](const Overrides& o) { check_command(command, overridden(config, o.sets)); };
    throw with_working_command(error, {command.sets, {}}, check, *command.line);
  }
}

void introduce(ConsoleObserver& console, const Experiment& e, int threads, const std::string& device,
               const std::string& memory, const std::string& out) {
  const Recipe& r = e.recipe;
  const Network& network = e.training.network();
  if (!r.title.empty()) console.line(r.title);
  console.line(
      str("network   ", network.notation(), "  (", thousands(network.parameter_count()), " parameters)"));
  console.line(str("method    ", method_text(r), ", T = ", r.steps, ", seed ", r.seed));
  console.line("data      " + e.training.data.train->describe());
  console.line(str("machine   ", device, ", ", threads, threads == 1 ? " thread" : " threads", ", SIMD ",
                   active_isa()));
  console.line("memory    " + memory);
  console.line("writes    " + out);
}

/// Results of a complete run, by its first metric.
std::string conclusion(const Training& training, const Progress& done) {
  if (done.epoch == 0) return "done: no epochs; " + duration(done.seconds);
  const MetricSet metrics(training.metrics, training.learner->parts().target);
  const std::string& metric = metrics.labels().front();
  const Best& best = done.best.at(metric);
  const std::string name = metric == "accuracy" ? "" : metric + " ";
  std::string end = str("done: last epoch ", name, metric_text(metric, best.last_test), ", best test ",
                        metric_text(metric, best.test), " (epoch ", best.test_epoch, ")");
  if (best.validation_epoch > 0)
    end += str(", test at best validation ", metric_text(metric, best.test_at_validation), " (epoch ",
               best.validation_epoch, ")");
  return end + "; " + duration(done.seconds);
}

std::string continue_command(const TrainCommand& command) {
  return "spiketrain train --resume --out " + shell_word(run_dir(command)) +
         option_words(*command.line, {"--out", "--resume", "--set", "--init", "--redraw", "--freeze"});
}

/// The log says of an error that ends a run, too.
RunEnd run_logged(Experiment& experiment, RunDir& dir, const RunSettings& settings) {
  try {
    return run_training(experiment, &dir, settings);
  } catch (const std::exception& error) {
    const std::string what = error.what();
    try {
      dir.log("error: " + what.substr(0, what.find('\n')));
    } catch (const DataError&) {  // such as no space: the error itself counts
    }
    throw;
  }
}

RunSettings run_settings(const TrainCommand& command) {
  RunSettings settings;
  settings.resume = command.resume;
  settings.tensorboard = command.tensorboard;
  settings.stop = &stop_requested;
  settings.version = ST_VERSION " " ST_REVISION;
  settings.environment = environment(settings.version);
  settings.environment["device"] = command.device;
  return settings;
}

/// Of a run that was told to stop, maybe through another process of the group.
int stopped() { return 128 + (stop_signal ? stop_signal : SIGTERM); }

/// In a process that writes nothing.
int follow(const TrainCommand& command, Experiment& experiment) {
  stop_on_signals();
  return run_training(experiment, nullptr, run_settings(command)).complete ? kOk : stopped();
}

/// `group` null: a process by itself.
int train(const TrainCommand& command, int threads, const std::shared_ptr<Group>& group) {
  Experiment experiment = prepare(command);
  const std::string memory = check_memory(experiment.recipe, experiment.training);
  const std::string shares = group ? join_group(experiment, group) : "";
  if (group && group->rank() > 0) return follow(command, experiment);

  RunDir dir(run_dir(command), command.resume);
  ConsoleObserver console(&dir);
  RunSettings settings = run_settings(command);
  settings.observers = {&console};
  settings.environment["shares"] = experiment.training.learner->share().of;  // sums over batches depend on it
  stop_on_signals();
  introduce(console, experiment, threads, command.device, memory, run_dir(command));
  if (group) console.line("group     " + shares);
  const RunEnd end = run_logged(experiment, dir, settings);
  if (!end.complete) {
    console.line("stopped; continue with: " + continue_command(command));
    return stopped();
  }
  console.line(conclusion(experiment.training, end.progress));
  return kOk;
}

int run_train(const TrainCommand& command) {
  const std::optional<Placement> place = placement();
  if (!place)  // main.cpp has seen to the waiting
    return train(command, prepare_process(nullptr, command.threads), nullptr);
  const Recipe recipe = overridden(with_options(read_config(command), command), command.sets);
  const int cores = own_cores(*place, recipe.parallel.bind);
  const int threads = prepare_process(nullptr, command.threads != 0 ? command.threads : cores);
  return run_in_group(*place, recipe.parallel.timeout,
                      [&](const auto& group) { return train(command, threads, group); });
}

}  // namespace

void add_train(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<TrainCommand>();
  CLI::App* sub = app.add_subcommand("train", "train the network a recipe describes");
  command->line = sub;
  sub->add_option("recipe", command->recipe, "recipe (TOML); with --resume the run's own by default");
  sub->add_option(
         "--set", command->sets,
         "override an option, e.g. --set epochs=3 --set neuron=lif --set 'neuron={name=\"lif\", surrogate=\"atan\"}'")
      ->allow_extra_args(false);
  sub->add_option("--init", command->init, "begin with the weights of this .safetensors file (init.file)");
  sub->add_option("--redraw", command->redraw,
                  "with --init: places that begin with weights of their own, such as readout,2 (init.redraw)")
      ->delimiter(',')
      ->allow_extra_args(false);
  sub->add_option("--freeze", command->freeze, "places that do not learn, such as 0,2 (train.freeze)")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_data_dir(*sub, command->data_dir);
  add_out(*sub, command->out, "run directory (default: runs/<recipe>)");
  sub->add_flag("--tensorboard", command->tensorboard,
                "also write what TensorBoard shows, to the folder tensorboard of the run directory");
  sub->add_flag("--resume", command->resume, "continue from the newest checkpoint of the run directory");
  sub->add_option("--device", command->device, "cpu or cuda")->capture_default_str();
  sub->add_option("--threads", command->threads,
                  "of this process; 0: all cores, divided among the processes on this machine")
      ->capture_default_str();
  sub->callback([command, &exit_code] { exit_code = run_train(*command); });
}

}  // namespace spiketrain::cli
