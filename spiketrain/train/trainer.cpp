#include "spiketrain/train/trainer.h"

#include <cmath>
#include <filesystem>
#include <iomanip>
#include <numeric>
#include <set>

#include "spiketrain/base/file.h"
#include "spiketrain/train/cost_options.h"
#include "spiketrain/train/probe.h"
#include "spiketrain/train/toml.h"

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

/// The network's parameters by the block they belong to, each in the order of the network.
std::vector<NamedTensors> parameters_by_block(const Network& network) {
  const NamedTensors all = named_parameters(network);
  std::vector<NamedTensors> blocks(network.blocks());
  for (size_t b = 0; b < blocks.size(); ++b) {
    std::set<const void*> own;
    for (const Tensor& p : network.block_parameters(b)) own.insert(p.unsafeGetTensorImpl());
    for (const auto& item : all) {
      if (own.count(item.second.unsafeGetTensorImpl()) != 0) blocks[b].push_back(item);
    }
  }
  return blocks;
}

LoaderOptions loader_options(const Recipe& recipe) {
  LoaderOptions options;
  options.batch_size = recipe.data.batch;
  options.seed = static_cast<uint64_t>(recipe.seed);
  options.drop_last = recipe.data.drop_last;
  return options;
}

/// Sizes and a digest of the labels (FNV-1a): tells data sets apart that a folder may hold one after the
/// other.
Config fingerprint(const Datasets& data) {
  Config result = Config::object();
  const auto add = [&](const char* split, const Dataset& set) {
    uint64_t digest = 0xcbf29ce484222325;
    for (int64_t i = 0; i < set.size(); ++i)
      digest = (digest ^ static_cast<uint64_t>(set.label(i))) * 0x100000001b3;
    std::ostringstream text;
    text << set.size() << " samples, labels " << std::hex << digest;
    result[split] = text.str();
  };
  add("train", *data.train);
  if (data.validation) add("validation", *data.validation);
  add("test", *data.test);
  return result;
}

}  // namespace

Trainer::Trainer(Experiment& experiment, TrainerOptions options)
    : e_(experiment),
      options_(std::move(options)),
      stages_(e_.network->describe()),
      synaptic_(synaptic_weights(*e_.network)),
      optimizer_(e_.recipe.optimizer, named_parameters(*e_.network)),
      blocks_(parameters_by_block(*e_.network)),
      norms_(*e_.network, e_.recipe.train.on_nan == "skip"),
      loader_(*e_.data.train, loader_options(e_.recipe)),
      data_(fingerprint(e_.data)) {
  ST_CHECK(loader_.batches() > 0, "data: ", e_.data.train->size(),
           " training samples do not fill one batch of ", e_.recipe.data.batch, " (data.drop_last)");
}

/// What a user should know before comparing this run with another.
void Trainer::caution() {
  const auto& windows = e_.plan.windows;
  const auto updates =
      std::count_if(windows.begin(), windows.end(), [](const Window& w) { return w.update; });
  if (updates > 1) {
    say(str("the optimiser steps ", updates,
            " times per batch; compare with other windows at equal numbers of ",
            "steps, see optimizer_steps in metrics.jsonl"));
  }
  const HeadOptions defaults;
  const HeadOptions& head = e_.recipe.head;
  if (e_.network->blocks() == 1 && (head.weights != defaults.weights || head.feedback != defaults.feedback ||
                                    head.pool_to != defaults.pool_to || head.scale != defaults.scale)) {
    say("the options of [head] have no effect: the network is one block, whose head is the output layer");
  }
  if (e_.network->blocks() > 1 && e_.recipe.train.clip_norm > 0)
    say("gradients are clipped block by block, not all together as end to end");
  const auto modules = e_.network->modules();
  const bool norm = std::any_of(modules.begin(), modules.end(),
                                [](const auto& m) { return std::dynamic_pointer_cast<Norm>(m) != nullptr; });
  if (norm && windows.size() > 1) {
    say(str("normalisation takes its statistics over each window of ", windows[0].t1 - windows[0].t0,
            " steps, not over all ", e_.recipe.steps));
  }
}

/// cost.json: operations and bytes of activations per sample, predicted, and measured on one batch.
void Trainer::write_cost() {
  const int64_t samples = std::min(e_.recipe.data.batch, e_.data.train->size());
  CostOptions options = cost_options(e_.recipe, e_.data.train->sample_shape());
  options.batch = samples;
  options.threads = at::get_num_threads();
  const CostReport report = measure_cost(stages_, options);
  const int64_t bytes = measure_activation_bytes(e_, samples);
  Config json = to_json(report);
  json["activation_bytes_measured"] = bytes / samples;
  const int64_t whole = predict_end_to_end(stages_, options);
  json["activation_bytes_end_to_end"] = whole;
  options_.run_dir->write_json("cost.json", json);
  const auto mebibytes = [](int64_t n) { return static_cast<double>(n >> 10) / 1024; };
  say(str("activations of a batch of ", samples, ": ", mebibytes(bytes), " MiB, predicted ",
          mebibytes(report.activation_bytes_predicted * samples), " MiB; end to end ",
          mebibytes(whole * samples), " MiB; see cost.json"));
}

bool Trainer::run() {
  e_.network->train();
  caution();
  if (options_.run_dir && progress_.iteration == 0) write_cost();
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
  Batch batch;
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

void Trainer::train_batch(const Batch& batch) {
  const auto seed = static_cast<uint64_t>(e_.recipe.seed);
  const PassInput input = {
      batch.x.to(e_.device),
      batch.y.to(e_.device),
      {seed, static_cast<uint64_t>(progress_.epoch), static_cast<uint64_t>(batch.first)}};
  Pass pass = e_.network->start(e_.rule, /*train=*/true, seed, static_cast<uint64_t>(progress_.iteration));
  batch_loss_ = 0;
  losses_.clear();
  norms_.remember();
  const Tensor scores =
      run_pass(e_, e_.plan, input, pass, [&](const Window& window, const BlockLosses& losses) {
        if (losses_.empty()) {
          losses_ = losses;
        } else {
          for (size_t b = 0; b < losses.size(); ++b) losses_[b] = losses_[b] + losses[b];
        }
        if (window.update) update(batch, window);
      });

  torch::NoGradGuard no_grad;
  const Tensor correct = (scores.argmax(1) == input.y).sum();
  correct_ = correct_.defined() ? correct_ + correct : correct;
  if (e_.device.is_cpu()) collect_correct();
  progress_.sums.samples += input.y.numel();
  add_activity(pass.activity, progress_.sums);
}

/// One optimiser step from the gradients gathered since the last one.
void Trainer::update(const Batch& batch, const Window& window) {
  const TrainSection& options = e_.recipe.train;
  std::vector<Tensor> values = losses_;  // then the norms: one transfer for all of them
  for (const NamedTensors& block : blocks_) values.push_back(grad_norm(block).to(e_.device));
  for (Tensor& value : values) value = value.to(torch::kDouble);
  const Tensor gathered = torch::stack(values).cpu();
  const std::vector<double> losses(gathered.data_ptr<double>(), gathered.data_ptr<double>() + losses_.size());
  const std::vector<double> norms(gathered.data_ptr<double>() + losses_.size(),
                                  gathered.data_ptr<double>() + gathered.numel());
  double squares = 0;
  for (const double norm : norms) squares += norm * norm;
  const double norm = norms.size() == 1 ? norms[0] : std::sqrt(squares);
  const double loss = losses.back(), sum = std::accumulate(losses.begin(), losses.end(), 0.0);
  losses_.clear();
  batch_loss_ += loss;
  if (!std::isfinite(sum) || !std::isfinite(norm)) {
    if (options.on_nan == "stop") {
      fail_numerically(&batch, str("batch ", progress_.batch + 1, ": loss ", sum, ", gradient norm ", norm),
                       "; train.on_nan = \"skip\" leaves such updates out");
    }
    ++progress_.sums.skipped;
    optimizer_.zero_grad();
    norms_.restore();
    return;
  }
  if (options.clip_norm > 0) {
    for (size_t b = 0; b < blocks_.size(); ++b) clip_grads(blocks_[b], norms[b], options.clip_norm);
  }
  optimizer_.step(window.lr_factor * learning_rate(e_.recipe.lr, e_.recipe.optimizer.lr, progress_.iteration,
                                                   loader_.batches(), e_.recipe.epochs));
  if (options.clamp > 0) clamp_weights(synaptic_, options.clamp);
  optimizer_.zero_grad();
  EpochSums& sums = progress_.sums;
  sums.loss += loss;
  sums.head_losses.resize(losses.size() - 1);
  for (size_t b = 0; b + 1 < losses.size(); ++b) sums.head_losses[b] += losses[b];
  sums.grad_norm += norm;
  ++sums.updates;
  ++progress_.optimizer_steps;
}

void Trainer::collect_correct() {
  if (correct_.defined()) progress_.sums.correct += correct_.item<int64_t>();
  correct_.reset();
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

/// Without a checkpoint the run starts over, which is right only for a run of this recipe that had not come
/// to its first checkpoint.
void Trainer::check_nothing_is_lost() const {
  const RunDir& dir = *options_.run_dir;
  if (file_exists(dir.file("config.toml")))
    check_resumable(resolve(make_recipe(load_config(dir.file("config.toml")))), resolve(e_.recipe));
  const int64_t epochs = dir.metrics_lines();
  ST_CHECK(!run_is_done(dir.path()) && epochs <= e_.recipe.train.checkpoint_every, "resume: ", dir.path(),
           " holds the metrics of ", epochs,
           " epochs but no checkpoint to continue from; to start over, give ", "another --out");
}

void Trainer::check_same_data(const SafetensorsFile& file) const {
  const Config before = checkpoint_data(file);
  for (const auto& item : data_.items()) {
    const std::string was = before.value(item.key(), "absent"), is = item.value();
    ST_CHECK(was == is, "resume: the ", item.key(), " split was ", was, " and is now ", is,
             "; a resumed run keeps its data");
  }
}

/// A run cannot end before where it stands.
void Trainer::check_epochs() const {
  const int64_t least = progress_.epoch + (progress_.batch > 0 ? 1 : 0);
  ST_CHECK(e_.recipe.epochs >= least, "resume: the run has trained ", progress_.epoch, " epochs",
           progress_.batch > 0 ? str(" and ", progress_.batch, " batches") : "",
           "; expected epochs >= ", least, ", got ", e_.recipe.epochs);
}

void Trainer::resume() {
  ST_CHECK(options_.run_dir, "resume: needs a run directory");
  const std::vector<std::string> paths = list_checkpoints(options_.run_dir->checkpoints());
  std::vector<std::string> damaged;
  for (const std::string& path : paths) {
    try {
      const SafetensorsFile file = SafetensorsFile::open(path);
      check_resumable(resolve(make_recipe(checkpoint_config(file))), resolve(e_.recipe));
      check_same_data(file);
      progress_ = load_checkpoint(file, *e_.network, optimizer_);
      check_epochs();
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
  check_nothing_is_lost();
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

void Trainer::say(const std::string& text, bool warning) {
  if (options_.observer) options_.observer->on_message(text, warning);
}

}  // namespace spiketrain
