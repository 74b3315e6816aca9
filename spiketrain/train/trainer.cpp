#include "spiketrain/train/trainer.h"

#include <cmath>
#include <filesystem>
#include <iomanip>
#include <map>
#include <set>

#include "spiketrain/train/runtime.h"

namespace spiketrain {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

NamedTensors named_parameters(const Network& network) {
  NamedTensors list;
  for (const auto& item : network.named_parameters()) list.emplace_back(item.key(), item.value());
  return list;
}

/// Weights of the synapses, without those of norms and neurons.
std::vector<Tensor> synaptic_weights(const Network& network) {
  std::vector<Tensor> weights;
  for (const auto& module : network.modules()) {
    if (!std::dynamic_pointer_cast<Synapse>(module)) continue;
    for (const Tensor& weight : module->parameters(/*recurse=*/false)) weights.push_back(weight);
  }
  return weights;
}

LoaderOptions loader_options(const Recipe& recipe) {
  LoaderOptions options;
  options.batch_size = recipe.data.batch;
  options.seed = static_cast<uint64_t>(recipe.seed);
  options.drop_last = recipe.data.drop_last;
  return options;
}

/// "/section/key" -> value; a list is one value.
std::map<std::string, Config> leaves(const Config& config, const std::string& prefix = "") {
  std::map<std::string, Config> result;
  for (const auto& item : config.items()) {
    const std::string key = prefix + "/" + item.key();
    if (item.value().is_object()) {
      result.merge(leaves(item.value(), key));
    } else {
      result[key] = item.value();
    }
  }
  return result;
}

}  // namespace

Trainer::Trainer(Experiment& experiment, TrainerOptions options)
    : e_(experiment),
      options_(std::move(options)),
      plan_(e_.schedule->plan(e_.recipe.steps)),
      stages_(e_.network->describe()),
      synaptic_(synaptic_weights(*e_.network)),
      optimizer_(e_.recipe.optimizer, named_parameters(*e_.network)),
      loader_(*e_.data.train, loader_options(e_.recipe)) {
  ST_CHECK(loader_.batches() > 0, "data: ", e_.data.train->size(),
           " training samples do not fill one batch of ", e_.recipe.data.batch, " (data.drop_last)");
}

bool Trainer::run() {
  e_.network->train();
  if (options_.run_dir && progress_.epoch < e_.recipe.epochs) options_.run_dir->mark_open();
  while (progress_.epoch < e_.recipe.epochs) {
    if (!train_epoch()) {
      checkpoint();
      return false;
    }
    finish_epoch();
  }
  finish();
  return true;
}

/// False if it was told to stop before the last batch.
bool Trainer::train_epoch() {
  loader_.start(progress_.epoch, progress_.batch);
  ImageBatch batch;
  for (auto begin = Clock::now(); !stopping() && loader_.next(batch); begin = Clock::now()) {
    train_batch(batch);
    ++progress_.batch;
    ++progress_.iteration;
    progress_.sums.seconds += seconds_since(begin);
    if (options_.observer) {
      options_.observer->on_batch({progress_, stages_, e_.recipe.epochs, loader_.batches(), batch_loss_});
    }
    if (checkpoint_due()) checkpoint();
  }
  return progress_.batch == loader_.batches();
}

void Trainer::train_batch(const ImageBatch& batch) {
  const Tensor x = batch.x.to(e_.device), y = batch.y.to(e_.device);
  const auto seed = static_cast<uint64_t>(e_.recipe.seed);
  Pass pass = e_.network->start(e_.rule, /*train=*/true, seed, static_cast<uint64_t>(progress_.iteration));
  const Signal input = e_.encoder->encode(
      x, e_.recipe.steps, {seed, static_cast<uint64_t>(progress_.epoch), static_cast<uint64_t>(batch.first)});

  Tensor scores, loss_since_update;
  batch_loss_ = 0;
  for (const Window& window : plan_) {
    Network::detach(pass.state);
    const Tensor a = e_.network->forward(input.slice(window.t0, window.t1), pass).dense();
    const Tensor loss = e_.objective->loss(a, y, window);
    loss.backward();
    {
      torch::NoGradGuard no_grad;
      const Tensor evidence = e_.objective->scores(a);
      scores = scores.defined() ? scores + evidence : evidence;
      loss_since_update = loss_since_update.defined() ? loss_since_update + loss.detach() : loss.detach();
    }
    if (window.update) {
      update(batch, loss_since_update);
      loss_since_update.reset();
    }
  }

  torch::NoGradGuard no_grad;
  const Tensor correct = (scores.argmax(1) == y).sum();
  correct_ = correct_.defined() ? correct_ + correct : correct;
  if (e_.device.is_cpu()) collect_correct();
  progress_.sums.samples += y.numel();
  add_activity(pass.activity, progress_.sums);
}

/// One optimiser step from the gradients gathered.
void Trainer::update(const ImageBatch& batch, const Tensor& loss_tensor) {
  const TrainSection& options = e_.recipe.train;
  const NamedTensors& parameters = optimizer_.parameters();
  const Tensor norm_tensor = grad_norm(parameters);
  const Tensor both =
      torch::stack({loss_tensor.to(torch::kDouble), norm_tensor.to(loss_tensor.device())}).cpu();
  const double loss = both[0].item<double>(), norm = both[1].item<double>();
  batch_loss_ += loss;
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    if (options.on_nan == "stop") fail_numerically(batch, loss, norm);
    ++progress_.sums.skipped;
    optimizer_.zero_grad();
    return;
  }
  if (options.clip_norm > 0) clip_grads(parameters, norm, options.clip_norm);
  optimizer_.step(learning_rate(e_.recipe.lr, e_.recipe.optimizer.lr, progress_.iteration, loader_.batches(),
                                e_.recipe.epochs));
  if (options.clamp > 0) clamp_weights(synaptic_, options.clamp);
  optimizer_.zero_grad();
  progress_.sums.loss += loss;
  progress_.sums.grad_norm += norm;
  ++progress_.sums.updates;
}

void Trainer::collect_correct() {
  if (correct_.defined()) progress_.sums.correct += correct_.item<int64_t>();
  correct_.reset();
}

void Trainer::finish_epoch() {
  collect_correct();
  const EpochSums& sums = progress_.sums;
  const auto updates_per_batch =
      std::count_if(plan_.begin(), plan_.end(), [](const Window& w) { return w.update; });
  const double updates = static_cast<double>(std::max<int64_t>(1, sums.updates));
  const auto samples = static_cast<double>(std::max<int64_t>(1, sums.samples));
  EpochReport report;
  report.epoch = progress_.epoch + 1;
  report.epochs = e_.recipe.epochs;
  report.iteration = progress_.iteration;
  report.lr = learning_rate(e_.recipe.lr, e_.recipe.optimizer.lr, progress_.iteration - 1, loader_.batches(),
                            e_.recipe.epochs);
  report.train_loss = sums.loss / updates * static_cast<double>(updates_per_batch);
  report.train_accuracy = static_cast<double>(sums.correct) / samples;
  report.grad_norm = sums.grad_norm / updates;
  report.skipped = sums.skipped;
  report.rates = layer_rates(stages_, sums);
  report.seconds = sums.seconds;
  report.samples_per_second = sums.seconds > 0 ? samples / sums.seconds : 0;

  const int64_t eval_batch =
      e_.recipe.train.eval_batch > 0 ? e_.recipe.train.eval_batch : e_.recipe.data.batch;
  if (e_.data.validation) {
    const Evaluation validation = evaluate(e_, *e_.data.validation, eval_batch);
    report.validation_loss = validation.loss;
    report.validation_accuracy = validation.accuracy;
    report.evaluation_seconds += validation.seconds;
  }
  const Evaluation test = evaluate(e_, *e_.data.test, eval_batch);
  report.test_loss = test.loss;
  report.test_accuracy = test.accuracy;
  report.evaluation_seconds += test.seconds;
  report.peak_memory_mib = peak_memory_mib();

  progress_.seconds += report.seconds + report.evaluation_seconds;
  ++progress_.epoch;
  progress_.batch = 0;
  progress_.sums = {};
  judge(report);
  report.best_test_accuracy = progress_.best_test;
  report.best_test_epoch = progress_.best_test_epoch;
  if (options_.run_dir) progress_.metrics_bytes = options_.run_dir->append_metrics(to_json(report));
  if (options_.observer) options_.observer->on_epoch(report);
  warn_of_rates(report.rates);
  if (progress_.epoch % e_.recipe.train.checkpoint_every == 0 || progress_.epoch == e_.recipe.epochs)
    checkpoint();
}

/// Keeps the best results: by test accuracy, as papers report, and by validation accuracy, as one should.
void Trainer::judge(const EpochReport& report) {
  progress_.last_test = report.test_accuracy;
  bool best = false;
  if (report.test_accuracy > progress_.best_test) {
    progress_.best_test = report.test_accuracy;
    progress_.best_test_epoch = report.epoch;
    best = !e_.data.validation;
  }
  if (e_.data.validation && report.validation_accuracy > progress_.best_validation) {
    progress_.best_validation = report.validation_accuracy;
    progress_.best_validation_epoch = report.epoch;
    progress_.test_at_best_validation = report.test_accuracy;
    best = true;
  }
  if (best && options_.run_dir) {
    save_weights(options_.run_dir->checkpoints() + "/best.safetensors", *e_.network, info(), progress_);
  }
}

void Trainer::warn_of_rates(const std::vector<LayerRate>& rates) {
  for (const LayerRate& layer : rates) {
    const bool dead = layer.rate < e_.recipe.train.dead_below;
    if (!dead && layer.rate <= e_.recipe.train.saturated_above) continue;
    if (!warned_.insert(layer.slot).second) continue;
    say(str("layer ", layer.spec, dead ? " is nearly silent" : " fires nearly always", ": rate ", layer.rate),
        true);
  }
}

bool Trainer::checkpoint_due() {
  const TrainSection& options = e_.recipe.train;
  if (progress_.batch == loader_.batches()) return false;  // the epoch's own checkpoint follows
  if (options.checkpoint_batches > 0 && progress_.iteration % options.checkpoint_batches == 0) return true;
  return options.checkpoint_seconds > 0 &&
         seconds_since(last_checkpoint_) >= static_cast<double>(options.checkpoint_seconds);
}

void Trainer::checkpoint() {
  if (!options_.run_dir) return;
  collect_correct();
  const std::string dir = options_.run_dir->checkpoints();
  save_checkpoint(checkpoint_path(dir, progress_.iteration), *e_.network, optimizer_, info(), progress_);
  prune_checkpoints(dir, e_.recipe.train.keep);
  last_checkpoint_ = Clock::now();
}

void Trainer::resume() {
  ST_CHECK(options_.run_dir, "resume: needs a run directory");
  const std::vector<std::string> paths = list_checkpoints(options_.run_dir->checkpoints());
  std::vector<std::string> damaged;
  for (const std::string& path : paths) {
    try {
      const SafetensorsFile file = SafetensorsFile::open(path);
      check_resumable(checkpoint_config(file), resolve(e_.recipe));
      progress_ = load_checkpoint(file, *e_.network, optimizer_);
    } catch (const DataError& error) {
      say(str("checkpoint cannot be read, trying the one before: ", error.what()), true);
      damaged.push_back(path);
      continue;
    }
    // Out of the list, or pruning would keep them for being newest and delete the good ones.
    for (const std::string& bad : damaged) std::filesystem::rename(bad, bad + ".damaged");
    options_.run_dir->truncate_metrics(progress_.metrics_bytes);
    say(str("resumed from ", path, ": epoch ", progress_.epoch + 1, ", batch ", progress_.batch));
    return;
  }
  if (!paths.empty()) {
    throw DataError(
        paths.front(), 0,
        str("none of ", paths.size(), " checkpoints can be read; to start over, give a new --out"));
  }
  options_.run_dir->truncate_metrics(0);
  say(str("no checkpoint in ", options_.run_dir->checkpoints(), ": starting at the first epoch"), true);
}

void Trainer::finish() {
  if (!options_.run_dir) return;
  Config summary = {{"epochs", progress_.epoch},
                    {"iterations", progress_.iteration},
                    {"last_test_accuracy", progress_.last_test},
                    {"best_test_accuracy", progress_.best_test},
                    {"best_test_epoch", progress_.best_test_epoch}};
  if (e_.data.validation) {
    summary["best_validation_accuracy"] = progress_.best_validation;
    summary["best_validation_epoch"] = progress_.best_validation_epoch;
    summary["test_accuracy_at_best_validation"] = progress_.test_at_best_validation;
  }
  summary["seconds"] = progress_.seconds;
  summary["network"] = e_.network->spec();
  summary["parameters"] = e_.network->parameter_count();
  if (!e_.recipe.paper.empty()) summary["paper"] = e_.recipe.paper;
  options_.run_dir->write_json("summary.json", summary);
  options_.run_dir->mark_done();
}

void Trainer::fail_numerically(const ImageBatch& batch, double loss, double norm) {
  std::string where;
  if (options_.run_dir) {
    NamedTensors dump = {{"batch.x", batch.x}, {"batch.y", batch.y}, {"batch.index", batch.index}};
    for (const auto& item : network_tensors(*e_.network)) dump.push_back(item);
    for (const auto& [name, parameter] : optimizer_.parameters()) {
      if (parameter.grad().defined()) dump.emplace_back("grad." + name, parameter.grad());
    }
    where = options_.run_dir->file("nan_dump.safetensors");
    save_tensors(where, dump,
                 {{"progress", to_json(progress_).dump()}, {"config", resolve(e_.recipe).dump()}});
    where = "; batch, weights and gradients are in " + where;
  }
  throw NumericError(str("epoch ", progress_.epoch + 1, ", batch ", progress_.batch + 1, ": loss ", loss,
                         ", gradient norm ", norm, where,
                         "; train.on_nan = \"skip\" leaves such updates out"));
}

void Trainer::say(const std::string& text, bool warning) {
  if (options_.observer) options_.observer->on_message(text, warning);
}

void check_resumable(const Config& before, const Config& now) {
  const std::map<std::string, Config> a = leaves(before), b = leaves(now);
  std::set<std::string> keys;
  for (const auto& item : a) keys.insert(item.first);
  for (const auto& item : b) keys.insert(item.first);
  for (const std::string& key : keys) {
    const bool harmless = key == "/title" || key.rfind("/paper", 0) == 0 || key.rfind("/cost/", 0) == 0 ||
                          key.rfind("/train/checkpoint", 0) == 0 || key == "/train/keep" ||
                          key == "/train/on_nan" || key == "/train/dead_below" ||
                          key == "/train/saturated_above" ||
                          (key == "/epochs" && now.value("/lr/name"_json_pointer, "") != "cosine");
    const auto was = a.find(key), is = b.find(key);
    if (harmless || (was != a.end() && is != b.end() && was->second == is->second)) continue;
    std::string name = key.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    throw UsageError(str("resume: ", name, " was ", was != a.end() ? was->second.dump() : "absent",
                         " and is now ", is != b.end() ? is->second.dump() : "absent",
                         "; a resumed run keeps its recipe"));
  }
}

}  // namespace spiketrain
