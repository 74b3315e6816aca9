// A run as its directory has it; no data set is opened.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <sstream>

#include "spiketrain/base/file.h"
#include "spiketrain/base/shell_word.h"
#include "spiketrain/base/text.h"
#include "spiketrain/data/source.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/report/metrics_file.h"
#include "spiketrain/report/run_data.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/tensorboard.h"

namespace spiketrain {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// NaN if it is not there or no number.
double number_at(const Config& json, const std::string& key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_number() ? it->get<double>() : kNone;
}

Config json_file(const std::string& path) {
  if (!file_exists(path)) return Config::object();
  const Bytes bytes = read_file(path);
  Config json = Config::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw DataError(path, 0, "expected a JSON object");
  return json;
}

/// Of finite numbers by epoch.
Curve curve(const std::vector<Config>& epochs, const std::string& key, const std::string& name) {
  Curve result{name, {}};
  for (const Config& line : epochs) {
    const double x = number_at(line, "epoch"), y = number_at(line, key);
    if (std::isfinite(y)) result.points.emplace_back(x, y);
  }
  return result;
}

/// Curves of a list in each line, [{"layer", "node", `key`}]; in older runs, without nodes, the place in the list tells layers apart.
std::vector<Curve> layer_curves(const std::vector<Config>& epochs, const std::string& list,
                                const std::string& key) {
  std::vector<Curve> curves;
  for (const Config& line : epochs) {
    const auto layers = line.find(list);
    if (layers == line.end() || !layers->is_array()) continue;
    for (size_t k = 0; k < layers->size(); ++k) {
      const Config& layer = (*layers)[k];
      if (!layer.is_object()) continue;
      if (k >= curves.size())
        curves.push_back({str(layer.value("node", std::to_string(k)), " ", layer.value("layer", "")), {}});
      const double y = number_at(layer, key);
      if (std::isfinite(y)) curves[k].points.emplace_back(number_at(line, "epoch"), y);
    }
  }
  return curves;
}

Scores scores_of(const Config& line, const std::string& split, const std::vector<std::string>& labels) {
  Scores scores;
  scores.loss = number_at(line, split + "_loss");
  for (const std::string& label : labels)
    if (label != "loss") scores.metrics[label] = number_at(line, split + "_" + label);
  return scores;
}

void read_curves(RunData& run, const Recipe& recipe, const std::vector<Config>& epochs) {
  const Target::Kind kind = dataset_info(recipe.data.name).target.kind;
  const MetricSet metrics(make_metrics(recipe, kind), kind);
  run.first_metric = metrics.labels().front();
  const bool validation = !epochs.empty() && epochs.back().contains("validation_loss");
  std::map<std::string, Best> best;
  for (const Config& line : epochs) {
    const Scores test = scores_of(line, "test", metrics.labels());
    const Scores other = scores_of(line, "validation", metrics.labels());
    track_best(metrics, static_cast<int64_t>(number_at(line, "epoch")), test, validation ? &other : nullptr,
               best);
  }
  std::vector<std::string> labels = metrics.labels();
  if (labels.front() != "loss") labels.emplace_back("loss");
  for (const std::string& label : labels) {
    MetricCurves of{label, {}, best.count(label) ? best.at(label) : Best()};
    for (const char* split : {"train", "validation", "test"}) {
      Curve c = curve(epochs, str(split, "_", label), split);
      if (!c.points.empty()) of.splits.push_back(std::move(c));
    }
    run.metrics.push_back(std::move(of));
  }
}

void read_times(RunData& run, const std::vector<Config>& epochs) {
  int64_t clipped = 0;
  bool recorded = !epochs.empty();
  double before = 0;
  for (const Config& line : epochs) {
    const auto counted = [&](const char* key) {
      const double n = number_at(line, key);
      return std::isfinite(n) ? n : 0;
    };
    run.seconds += counted("seconds") + counted("evaluation_seconds");
    run.skipped += static_cast<int64_t>(counted("skipped"));
    run.peak_memory_mib = std::max(run.peak_memory_mib, counted("peak_memory_mib"));
    recorded = recorded && line.contains("clipped");
    clipped += static_cast<int64_t>(counted("clipped"));
    const double iterations = counted("iteration") - before;
    if (iterations > 0) run.step_milliseconds = 1000 * counted("seconds") / iterations;
    before = counted("iteration");
    run.updates = static_cast<int64_t>(counted("optimizer_steps"));
  }
  if (recorded) run.clipped = clipped;
}

std::string name_of(const Config& part) { return part.value("name", ""); }

/// Greatest number that a hidden neuron sends at a step.
double greatest_count(const Recipe& recipe) {
  const int64_t levels = recipe.neuron.is_null() ? 1 : make<Neuron>(recipe.neuron)->emits().levels;
  return static_cast<double>(std::max<int64_t>(1, levels));
}

void warn_of_rates(RunData& run, const TrainOptions& options, double greatest) {
  std::vector<std::string> silent, busy;
  for (const Curve& layer : run.rates) {
    if (layer.points.empty()) continue;
    const double rate = layer.points.back().second;
    const std::string text = str(layer.name, " (rate ", rate, ")");
    if (rate < options.dead_below) silent.push_back(text);
    if (rate > options.saturated_above * greatest) busy.push_back(text);
  }
  if (!silent.empty())
    run.warnings.push_back("layers that are nearly silent in the last epoch: " + join(silent));
  if (!busy.empty())
    run.warnings.push_back("layers that fire nearly always in the last epoch: " + join(busy));
}

void warn_of_updates(RunData& run, const TrainOptions& options) {
  if (run.skipped > 0)
    run.warnings.push_back(str(run.skipped, " updates were left out because of NaN or infinity"));
  if (2 * run.clipped > run.updates && run.updates > 0)
    run.warnings.push_back(str("the gradient was clipped to the norm ", options.clip_norm, " in ",
                               run.clipped, " of ", run.updates, " updates"));
  const MetricCurves* first = run.curves(run.first_metric);
  if (first && first->best.test_epoch > 0 && first->best.validation_epoch == 0)
    run.warnings.push_back(
        "there is no validation split (data.validation): the best epoch was chosen on the test split itself");
}

/// Warnings that the run has logged, those of rates aside, which are told anew; and the error that it ended with.
void warn_of_log(RunData& run) {
  const std::string path = run.path + "/log.txt";
  if (!file_exists(path)) return;
  const Bytes bytes = read_file(path);
  std::istringstream log(std::string(bytes.begin(), bytes.end()));
  const auto after = [](const std::string& line, const std::string& mark) {
    const size_t at = line.find(mark);
    return at == std::string::npos ? "" : one_line(line.substr(at + mark.size()));
  };
  std::string last;
  for (std::string line; std::getline(log, line); last = line) {
    const std::string text = after(line, " warning: ");
    if (text.empty() || text.rfind("layer", 0) == 0) continue;
    if (std::find(run.warnings.begin(), run.warnings.end(), text) == run.warnings.end())
      run.warnings.push_back(text);
  }
  if (const std::string error = after(last, " error: "); !error.empty())
    run.warnings.insert(run.warnings.begin(), "the run ended with an error: " + error);
}

WeightValues weight_values(const std::string& name, const Tensor& W) {
  const Tensor zero = W == 0;
  return {name, W.numel(), zero.sum().item<double>() / static_cast<double>(W.numel()), histogram_of(W)};
}

/// What to do for an epoch to be complete.
std::string epoch_advice(const RunData& run) {
  switch (run.status) {
    case RunStatus::training:
      return "wait for it";
    case RunStatus::failed:
      return "the run has failed, see log.txt and nan_dump.safetensors";
    case RunStatus::untrained:
      return "the network has not been trained here";
    default:
      return "train on: spiketrain train --resume --out " + shell_word(run.path);
  }
}

void read_weights_of(RunData& run, const std::string& path) {
  run.fingerprint = checkpoint_data(open_checkpoint(path));
  const torch::NoGradGuard no_grad;
  const std::shared_ptr<Network> network = load_network(path);
  run.network = network->notation();
  run.parameters = network->parameter_count();
  for (const Network::Node& node : network->nodes()) {
    for (const auto& item : node.stage->named_parameters()) {
      if (item.value().dim() < 2) continue;
      const std::string head = node.head_of >= 0 ? str("head of block ", node.head_of, ", ") : "";
      run.weights.push_back(
          weight_values(str(head, node.name, " ", node.stage->notation(), " ", item.key()), item.value()));
    }
  }
  run.weights_file = path;
}

/// Weights of the best epoch, else of the newest checkpoint, and what their network is like.
void read_weights(RunData& run) {
  const std::string path = best_weights(run.path);
  if (path.empty()) {
    run.missing.push_back(list_checkpoints(run.path + "/ckpt").empty() &&
                                  !file_exists(run.path + "/ckpt/best.safetensors")
                              ? "weights: there is no checkpoint yet; " + epoch_advice(run)
                              : "weights: no file in " + run.path + "/ckpt can be read");
    return;
  }
  try {
    read_weights_of(run, path);
  } catch (const std::runtime_error& error) {  // a part that is not at hand, or a file of another kind
    run.missing.push_back(str("weights: ", error.what()));
  }
}

/// Of a file that may be damaged: {}, and why among `missing`.
Config read_json(RunData& run, const std::string& name) {
  try {
    return json_file(run.path + "/" + name);
  } catch (const DataError& error) {
    run.missing.push_back(str(name, ": ", error.what()));
    return Config::object();
  }
}

/// "" if no command line has its data.
std::string train_command(const RunData& run) {
  if (run.data == "given") return "";
  std::string command = "spiketrain train " + shell_word(run.path + "/config.toml") + " --out " +
                        shell_word(run.path + "-again");
  const Config& environment = run.environment;
  const auto given = [&](const char* key) { return environment.value(key, Config()); };
  if (const Config device = given("device"); device.is_string() && device != "cpu")
    command += " --device " + shell_word(device);
  if (const Config threads = given("threads"); threads.is_number_integer())
    command += " --threads " + threads.dump();
  for (const Config& plugin : given("plugins")) {
    const Config path = plugin.is_object() ? plugin.value("path", Config()) : plugin;
    if (path.is_string()) command += " --plugin " + shell_word(path);
  }
  if (dataset_info(run.data).files) command += " --data-dir FOLDER";
  return command;
}

}  // namespace

const MetricCurves* RunData::curves(const std::string& metric) const {
  const auto it =
      std::find_if(metrics.begin(), metrics.end(), [&](const auto& m) { return m.metric == metric; });
  return it == metrics.end() ? nullptr : &*it;
}

std::string best_weights(const std::string& run_dir) {
  std::vector<std::string> paths = list_checkpoints(run_dir + "/ckpt");
  const std::string best = run_dir + "/ckpt/best.safetensors";
  if (file_exists(best)) paths.insert(paths.begin(), best);
  for (const std::string& path : paths) {
    try {
      open_checkpoint(path);
      return path;
    } catch (const SystemError&) {
      throw;                      // the file may be sound
    } catch (const DataError&) {  // damaged: the one before
    }
  }
  return "";
}

const char* to_string(RunStatus status) {
  switch (status) {
    case RunStatus::complete:
      return "complete";
    case RunStatus::training:
      return "training";
    case RunStatus::failed:
      return "failed";
    case RunStatus::untrained:
      return "not trained yet";
    default:
      return "stopped";
  }
}

std::string status_text(RunStatus status) {
  const std::string text = to_string(status);
  return status == RunStatus::failed ? text + " (NaN, see nan_dump.safetensors)" : text;
}

RunData read_run_curves(const std::string& given) {
  RunData run;
  run.path = given;
  while (run.path.size() > 1 && run.path.back() == '/') run.path.pop_back();
  const std::string config = run.path + "/config.toml";
  ST_CHECK(file_exists(config), "report: ", run.path,
           " is no run directory; expected one that `spiketrain train --out` wrote");
  const Recipe recipe = load_recipe(config);
  const Bytes toml = read_file(config);
  run.recipe.assign(toml.begin(), toml.end());
  run.config = resolve(recipe);
  run.title = recipe.title.empty() ? std::filesystem::path(run.path).filename().string() : recipe.title;
  run.method = method_text(recipe);
  run.data = recipe.data.name;
  run.network = name_of(recipe.network);
  run.seed = recipe.seed;
  run.steps = recipe.steps;
  run.batch = recipe.data.batch;
  run.epochs_planned = recipe.epochs;
  run.status = run_status(run.path);
  const std::vector<Config> epochs = read_metrics(run.path + "/metrics.jsonl");
  run.epochs_done = static_cast<int64_t>(epochs.size());
  if (epochs.empty()) run.missing.push_back("curves: no epoch is complete yet; " + epoch_advice(run));
  read_curves(run, recipe, epochs);
  run.learning_rate = curve(epochs, "lr", "learning rate");
  run.rates = layer_curves(epochs, "rates", "rate");
  run.grad_norms = layer_curves(epochs, "grad_norms", "norm");
  if (run.grad_norms.empty()) {
    Curve all = curve(epochs, "grad_norm", "all layers");
    if (!all.points.empty()) run.grad_norms.push_back(std::move(all));
  }
  read_times(run, epochs);
  warn_of_rates(run, recipe.train, greatest_count(recipe));
  warn_of_updates(run, recipe.train);
  warn_of_log(run);
  return run;
}

RunData read_run_data(const std::string& path) {
  RunData run = read_run_curves(path);
  run.environment = read_json(run, "environment.json");
  run.cost = read_json(run, "cost.json");
  read_weights(run);
  run.command = train_command(run);
  return run;
}

}  // namespace spiketrain
