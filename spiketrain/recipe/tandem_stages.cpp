#include "spiketrain/recipe/tandem_stages.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "spiketrain/base/file.h"
#include "spiketrain/base/text.h"
#include "spiketrain/core/watch.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/recipe/tandem_network.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/resume.h"

namespace spiketrain {
namespace {

std::string stage_dir(const std::string& run_dir, size_t k) { return str(run_dir, "/stages/", k + 1); }
std::string best_weights_of(const std::string& run_dir) { return run_dir + "/ckpt/best.safetensors"; }

Config read_json_object(const std::string& path) {
  const Bytes bytes = read_file(path);
  Config json = Config::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw DataError(path, 0, "is no JSON object");
  return json;
}

/// stages.json of a run that is resumed.
Config read_story(const std::string& path) {
  Config story = read_json_object(path);
  const auto is_list = [&](const char* key) { return story.contains(key) && story[key].is_array(); };
  bool right = is_list("thresholds") && is_list("stages") && story.contains("analog");
  for (const Config& threshold : right ? story["thresholds"] : Config::array())
    right = right && threshold.is_number() && threshold.get<double>() > 0;
  for (const Config& stage : right ? story["stages"] : Config::array()) right = right && stage.is_object();
  if (!right) throw DataError(path, 0, "does not tell of stages, as the run wrote it");
  return story;
}

/// Percentile of what a layer sends in all, over the first training samples.
double activation_percentile(const Training& training, const HiddenLayer& layer,
                             const TandemSection& options) {
  const int64_t wanted = options.samples > 0 ? options.samples : training.options.batch;
  LoaderOptions loading;
  loading.shuffle = false;
  loading.batch_size = std::min(wanted, training.options.batch);
  Loader loader(*training.data.train, loading);
  loader.start(0);
  Recorder recorder;
  recorder.ask(layer.slot, 0);
  int64_t seen = 0;
  for (Batch batch; seen < wanted && loader.next(batch); seen += batch.size())
    training.learner->infer(batch.to(training.device));
  std::vector<Tensor> sums;
  for (const Tensor& output : recorder.traces().at(layer.slot).output) sums.push_back(output.sum(0));
  return percentile_of(torch::cat(sums), options.percentile);
}

/// {"loss": ..., "accuracy": ...} of a split.
Config scores_json(const Training& training, const Dataset& data) {
  const int64_t batch =
      training.options.eval_batch > 0 ? training.options.eval_batch : training.options.batch;
  const Evaluation result = evaluate(training, data, batch);
  Config json = {{"loss", result.loss}};
  for (const auto& [label, value] : result.metrics) json[label] = value;
  return json;
}

/// "validation accuracy 0.8812, test accuracy 0.8790"
std::string scores_text(const Config& splits, const std::string& label) {
  std::vector<std::string> parts;
  for (const auto& item : splits.items())
    parts.push_back(
        str(item.key(), " ", label, " ", std::round(item.value().value(label, Best::kNone) * 1e4) / 1e4));
  return join(parts);
}

class StagesOfRun {
 public:
  StagesOfRun(Experiment& analog, RunDir& dir, const RunSettings& settings)
      : analog_(analog),
        base_(analog.recipe),
        dir_(dir),
        settings_(settings),
        layers_(hidden_layers(analog.training.network())),
        stages_(tandem_stages(static_cast<int64_t>(layers_.size()), base_.tandem)),
        label_(MetricSet(analog.training.metrics, analog.training.learner->parts().target).labels().front()) {
    base_.tandem.thresholds.clear();
    ST_CHECK(
        base_.epochs == 0 || analog.training.data.validation,
        "tandem: each stage keeps the weights that are best on the validation split; set data.validation to a "
        "number of samples");
  }

  RunEnd run() {
    open();
    if (settings_.resume && stages_have_begun(dir_.path())) {
      story_ = read_story(dir_.file("stages.json"));
    } else {
      begin();
    }
    for (size_t k = 0; k < stages_.size(); ++k)
      if (!run_stage(k)) return {progress_, false};
    finish();
    return {progress_, true};
  }

 private:
  std::string path(size_t k) const { return stage_dir(dir_.path(), k); }
  Training& training() { return now_ ? now_->training : analog_.training; }
  void message(const std::string& text, bool warning = false) const {
    for (Observer* observer : settings_.observers) observer->on_message(text, warning);
  }

  /// The recipe of the whole.
  void open() {
    const Config config = resolve(base_);
    const std::string before = dir_.file("config.json");
    if (settings_.resume && file_exists(before))
      check_resumable(with_present_names(read_json_object(before)), config, resolved_options(base_));
    if (run_is_done(dir_.path())) return;
    dir_.write_json("config.json", config);
    dir_.write_text("config.toml", write_toml(config));
    dir_.write_json("environment.json", settings_.environment);
  }

  /// What the analog network can do, over these steps.
  void begin() {
    for (const std::string& line : analog_.training.caveats) message(line);
    const Config& objective = base_.objective;
    if (objective.contains("scale") && objective["scale"] != static_cast<double>(base_.steps))
      message(str("objective.scale is ", objective["scale"].dump(),
                  ": the loss sees the outputs' sum over the ", base_.steps, " steps divided by ",
                  base_.steps, ", unlike that of the analog network; set it to ", base_.steps),
              /*warning=*/true);
    story_ = {{"analog", splits()}, {"thresholds", Config::array()}, {"stages", Config::array()}};
    message("analog network: " + scores_text(story_["analog"], label_));
  }

  /// The scores of the present network.
  Config splits() {
    Config json = Config::object();
    const Datasets& data = training().data;
    if (data.validation) json["validation"] = scores_json(training(), *data.validation);
    json["test"] = scores_json(training(), *data.test);
    return json;
  }

  Recipe recipe_of(size_t k) const {
    const TandemStage& stage = stages_[k];
    Recipe recipe = base_;
    recipe.tandem.stage = static_cast<int64_t>(k) + 1;
    for (int64_t i = 0; i < stage.converted; ++i)
      recipe.tandem.thresholds.push_back(story_.at("thresholds").at(static_cast<size_t>(i)).get<double>());
    for (int64_t i = 0; i < stage.frozen; ++i)
      recipe.train.freeze.push_back(layers_[static_cast<size_t>(i)].name);
    if (stage.rate != 1) recipe.optimizer["lr"] = recipe.optimizer.at("lr").get<double>() * stage.rate;
    return recipe;
  }

  /// False if it was told to stop.
  bool run_stage(size_t k) {
    const Config& told = story_["stages"];
    const bool done = told.size() > k && told[k].contains("progress");
    const bool begun =
        done || (settings_.resume && told.size() > k && !list_checkpoints(path(k) + "/ckpt").empty());
    if (!begun) convert(k);
    auto next = std::make_shared<Experiment>(
        build_experiment(recipe_of(k), analog_.training.data, analog_.training.device));
    next->begun = true;
    if (!done && !train(k, *next, begun)) return false;
    load_weights(open_checkpoint(best_weights_of(path(k))), next->training.network());
    if (done) progress_ = progress_from_json(story_["stages"][k]["progress"]);
    now_ = std::move(next);
    return true;
  }

  /// Estimates the threshold of the layer that this stage converts.
  void convert(size_t k) {
    Config& thresholds = story_["thresholds"];
    const auto before = static_cast<size_t>(k == 0 ? 0 : stages_[k - 1].converted);
    while (thresholds.size() > before) thresholds.erase(thresholds.size() - 1);
    while (story_["stages"].size() > k) story_["stages"].erase(story_["stages"].size() - 1);
    if (static_cast<size_t>(stages_[k].converted) == before) return;
    const HiddenLayer& layer = layers_[before];
    const double value = activation_percentile(training(), layer, base_.tandem);
    ST_CHECK(
        value > 0, "tandem: percentile ", base_.tandem.percentile, " of the activations of layer ",
        layer.name, " (", layer.notation, ") is ", value,
        ", which gives no threshold; the layer is silent: give another --init, or a greater tandem.percentile");
    thresholds.push_back(value / static_cast<double>(base_.steps));
  }

  bool train(size_t k, Experiment& next, bool begun) {
    RunDir own(path(k), settings_.resume);
    if (!begun) start(k, next, own);
    RunSettings settings = settings_;
    settings.resume = begun || own.metrics_lines() > 0;
    settings.stage = {static_cast<int64_t>(k) + 1, static_cast<int64_t>(stages_.size())};
    if (stages_[k].keeps_best) settings.best = to_beat(k);
    const RunEnd end = run_training(next, &own, settings);
    progress_ = end.progress;
    if (!end.complete) return false;
    Config& told = story_["stages"].at(k);
    told["epochs"] = end.progress.epoch;
    told["progress"] = to_json(end.progress);
    dir_.write_json("stages.json", story_);
    return true;
  }

  /// The weights that a stage begins with, which are its best so far.
  void start(size_t k, Experiment& next, RunDir& own) {
    const int64_t before = k == 0 ? 0 : stages_[k - 1].converted;
    const bool converts = stages_[k].converted > before;
    const double threshold = converts ? story_["thresholds"].back().get<double>() : 0;
    copy_converted(training().network(), next.training.network(), converts ? before : -1, threshold);
    const auto saved = std::exchange(now_, std::shared_ptr<Experiment>(&next, [](Experiment*) {}));
    Config told = {{"stage", k + 1}, {"converted", stages_[k].converted}, {"frozen", stages_[k].frozen}};
    std::string text = str("stage ", k + 1, "/", stages_.size(), ": ");
    if (converts) {
      const HiddenLayer& layer = layers_[static_cast<size_t>(before)];
      told["layer"] = layer.name;
      told["threshold"] = threshold;
      text += str("layer ", layer.name, " (", layer.notation, ") spikes, threshold ", threshold);
    } else {
      text += str("all hidden layers spike, learning rate ", next.recipe.optimizer.at("lr").dump());
    }
    told["start"] = splits();
    now_ = saved;
    message(text + "; at its start " + scores_text(told["start"], label_));
    story_["stages"].push_back(std::move(told));
    dir_.write_json("stages.json", story_);
    save_weights(best_weights_of(own.path()), next.training.network(), info(next.training.config),
                 Progress());
  }

  RunInfo info(const Config& config) const {
    return {config, settings_.environment, fingerprint(analog_.training.data)};
  }

  /// The best of the stage before, of no epoch of this one.
  std::map<std::string, Best> to_beat(size_t k) const {
    std::map<std::string, Best> best;
    const Progress before = progress_from_json(story_.at("stages").at(k - 1).at("progress"));
    for (const auto& [label, value] : before.best) {
      best[label].validation = value.validation;
      best[label].test_at_validation = value.test_at_validation;
    }
    return best;
  }

  /// One file for all stages; their epochs are counted on.
  std::string all_metrics() const {
    std::string text;
    int64_t epochs = 0, iterations = 0;
    for (size_t k = 0; k < stages_.size(); ++k) {
      std::ifstream file(path(k) + "/metrics.jsonl");
      int64_t last = 0, iteration = 0;
      for (std::string line; std::getline(file, line);) {
        Config json = Config::parse(line);
        last = json.at("epoch").get<int64_t>();
        iteration = json.at("iteration").get<int64_t>();
        json["epoch"] = last + epochs;
        json["iteration"] = iteration + iterations;
        text += json.dump() + "\n";
      }
      epochs += last;
      iterations += iteration;
    }
    return text;
  }

  /// The run directory is that of the spiking network.
  void finish() {
    const Config scores = splits();
    message(str("spiking network, ", base_.steps, " steps: ", scores_text(scores, label_)));
    Recipe whole = base_;
    whole.tandem.thresholds = now_->recipe.tandem.thresholds;
    const Config config = resolve(whole);
    analog_ = *now_;
    analog_.recipe = whole;
    analog_.training.config = config;
    if (run_is_done(dir_.path())) return;
    dir_.write_json("config.json", config);
    dir_.write_text("config.toml", write_toml(config));
    save_weights(best_weights_of(dir_.path()), training().network(), info(config), progress_);
    dir_.write_text("metrics.jsonl", all_metrics());
    Config summary = read_json_object(path(stages_.size() - 1) + "/summary.json");
    summary["analog"] = story_.at("analog");
    summary["spiking"] = scores;
    dir_.write_json("summary.json", summary);
    dir_.mark_done();
  }

  Experiment& analog_;
  Recipe base_;  ///< of the whole, without thresholds
  RunDir& dir_;
  const RunSettings& settings_;
  std::vector<HiddenLayer> layers_;
  std::vector<TandemStage> stages_;
  std::string label_;                ///< of the first metric
  Config story_;                     ///< stages.json
  std::shared_ptr<Experiment> now_;  ///< of the last stage that is complete; null: the analog network
  Progress progress_;
};

}  // namespace

std::vector<TandemStage> tandem_stages(int64_t hidden, const TandemSection& options) {
  std::vector<TandemStage> stages;
  for (int64_t k = 1; k <= hidden; ++k)
    stages.push_back({k, options.freeze == "before" && k > 1 ? k : k - 1});
  stages.push_back({hidden, hidden, options.last_rate, true});
  return stages;
}

bool stages_have_begun(const std::string& run_dir) {
  const std::string first = stage_dir(run_dir, 0);
  return file_exists(run_dir + "/stages.json") &&
         (run_is_done(first) || !list_checkpoints(first + "/ckpt").empty());
}

RunEnd train_stages(Experiment& analog, RunDir& dir, const RunSettings& settings) {
  return StagesOfRun(analog, dir, settings).run();
}

}  // namespace spiketrain
