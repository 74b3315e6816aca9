#include "spiketrain/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "spiketrain/base/file.h"
#include "spiketrain/engine/gradients.h"
#include "spiketrain/train/binarizer.h"
#include "spiketrain/train/caveats.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/train/numeric_dump.h"
#include "spiketrain/train/resume.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/train/share_state.h"

namespace spiketrain {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Weights of the synapses that learn, without those of norms and neurons.
std::vector<Tensor> synaptic_weights(const Network& network) {
  std::vector<Tensor> weights;
  for (const auto& module : network.modules()) {
    if (!std::dynamic_pointer_cast<Synapse>(module)) continue;
    for (const Tensor& weight : module->parameters(/*recurse=*/false))
      if (weight.requires_grad()) weights.push_back(weight);
  }
  return weights;
}

/// Where the parameters of a network are, by the first part of their name: the name of a node.
struct ParameterLayers {
  std::vector<LayerNorm> layers;
  std::vector<std::vector<size_t>> of;  ///< [block][parameter]
};
ParameterLayers parameter_layers(const Network& network, const std::vector<NamedTensors>& blocks) {
  ParameterLayers result;
  std::map<std::string, size_t> found;
  for (const NamedTensors& block : blocks) {
    result.of.emplace_back();
    for (const auto& item : block) {
      const std::string name = item.first.substr(0, item.first.find('.'));
      const auto [at, added] = found.try_emplace(name, result.layers.size());
      result.of.back().push_back(at->second);
      if (!added) continue;
      const auto& nodes = network.nodes();
      const auto node =
          std::find_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.name == name; });
      result.layers.push_back({node == nodes.end() ? name : node->stage->notation(), name, 0});
    }
  }
  return result;
}

/// Of the blocks that are here; those of others are empty.
std::vector<NamedTensors> parameters_here(const Network& network, const BlockPipe* pipe) {
  std::vector<NamedTensors> blocks = parameters_by_block(network);
  for (size_t b = 0; b < blocks.size(); ++b)
    if (pipe && !pipe->has(static_cast<int64_t>(b))) blocks[b].clear();
  return blocks;
}

LoaderOptions loader_options(const TrainOptions& options, const std::atomic<bool>* stop,
                             const Training& training) {
  LoaderOptions loader;
  loader.stop = stop;
  loader.batch_size = options.batch;
  loader.seed = static_cast<uint64_t>(options.seed);
  loader.drop_last = options.drop_last;
  loader.threads = static_cast<int>(options.loader_threads);
  if (training.group()) loader.stop = nullptr;  // they stop together
  const Learner::Share share = training.learner->share();
  loader.part = share.index;
  loader.parts = share.of;
  loader.inputs = training.reads_inputs();
  return loader;
}

Training& complete(Training& training) {
  ST_CHECK(training.learner && training.optimizer && training.data.train && training.data.test,
           "trainer: expected a learner, an optimizer, and training and test data");
  ST_CHECK(!training.optimizer->parameters().empty(),
           "trainer: the optimizer has no parameters; attach it to those of the network");
  ST_CHECK(training.options.patience == 0 || training.data.validation, kPatienceNeedsValidation);
  if (!training.rate) training.rate = make<LearningRate>("constant");
  return training;
}

}  // namespace

Trainer::Trainer(Training& training, TrainerOptions options)
    : t_(complete(training)),
      group_(t_.group()),
      pipe_(t_.pipe()),
      options_(std::move(options)),
      network_(t_.network()),
      metrics_(t_.metrics, t_.learner->parts().target),
      synaptic_(synaptic_weights(network_)),
      blocks_(parameters_here(network_, pipe_)),
      norms_(network_, t_.options.on_nan == "skip"),
      rate_warnings_(t_.options.dead_below, t_.options.saturated_above, t_.rate_advice),
      loader_(*t_.data.train, loader_options(t_.options, options_.stop, t_)),
      data_(fingerprint(t_.data)) {
  ST_CHECK(loader_.batches() > 0, "data: ", t_.data.train->size(),
           " training samples do not fill one batch of ", t_.options.batch, " (data.drop_last)");
  const int64_t shares = t_.learner->share().of;
  ST_CHECK(
      loader_.smallest_batch() >= shares, "data: a batch of ", loader_.smallest_batch(),
      " samples leaves a process of ", shares,
      " without any; use fewer processes, a larger data.batch, or data.drop_last if it is the last batch");
  ParameterLayers found = parameter_layers(network_, parameters_by_block(network_));
  layers_ = std::move(found.layers);
  layer_of_ = std::move(found.of);
  for (size_t b = 0; b < blocks_.size(); ++b) layer_of_[b].resize(blocks_[b].size());
  progress_.best = options_.best;
  ST_CHECK(!group_ || !t_.binarizer, "binarize: layers are chosen in one process; train in a single one");
  if (pipe_) check_line();
  if (group_) check_same_run(*group_, t_, options_.version, data_);
}

void Trainer::begin() {
  progress_.epochs = t_.options.epochs;
  metrics_.start(progress_.sums.metrics);
  for (const std::string& line : caveats(t_)) message(line);
  const auto tell = [this](const std::string& text, bool warning) { message(text, warning); };
  for (Observer* observer : options_.observers) observer->on_begin({t_, progress_, options_.run_dir, tell});
  if (!options_.run_dir) return;
  options_.run_dir->write_json("config.json", t_.config);
  if (progress_.epoch < t_.options.epochs && !out_of_patience()) options_.run_dir->mark_open();
}

/// Whether the validation split has asked for an end (train.patience).
bool Trainer::out_of_patience() const {
  return spiketrain::out_of_patience(progress_, metrics_.labels().front(), t_.options.patience);
}

bool Trainer::run() {
  begin();
  bool complete = true;
  while (complete && progress_.epoch < t_.options.epochs && !out_of_patience()) {
    complete = train_epoch();
    if (complete) {
      finish_epoch();
    } else {
      checkpoint();
    }
  }
  if (complete && progress_.epoch < t_.options.epochs)
    message(str("stopped early: ", metrics_.labels().front(),
                " on the validation split has not improved for ", t_.options.patience,
                t_.options.patience == 1 ? " epoch" : " epochs", " (train.patience)"));
  if (complete) {
    report_storage();
    finish();
  }
  for (Observer* observer : options_.observers) observer->on_end(progress_, complete);
  return complete;
}

/// False if it was told to stop before the last batch.
bool Trainer::train_epoch() {
  if (progress_.batch == 0) begin_epoch();
  loader_.start(progress_.epoch, progress_.batch);
  if (group_) group_->traffic_since_last();  // that of training counts
  Batch batch;
  for (auto begin = Clock::now(); !stopping() && loader_.next(batch); begin = Clock::now()) {
    train_batch(batch);
    ++progress_.batch;
    ++progress_.iteration;
    progress_.sums.seconds += seconds_since(begin);
    const bool sum = t_.learner->parts().objective->sums_over_samples();
    const double loss = sum ? batch_loss_ / static_cast<double>(batch.size()) * batch.share : batch_loss_;
    for (Observer* observer : options_.observers)
      observer->on_batch(
          {progress_, network_, metrics_, t_.options.epochs, loader_.batches(), loss, options_.stage});
    if (checkpoint_due()) checkpoint();
  }
  take_up();
  return progress_.batch == loader_.batches();
}

void Trainer::train_batch(const Batch& batch) {
  const Batch there = batch.to(t_.device);
  batch_loss_ = 0;
  norms_.remember();
  const auto on_update = [&](const Segment& segment, const BlockLosses& losses) {
    return update(batch, segment, losses);
  };
  Tally tally;
  const PassResult result =
      t_.learner->pass(there, static_cast<uint64_t>(progress_.iteration), on_update, &tally);
  const bool judged = result.prediction.defined();
  hand_in(judged ? metrics_.sums(result, there.target) : std::vector<Tensor>(), tally.counts(), batch.size());
  if (!result.penalties.defined()) return;
  const Tensor penalties = result.penalties.cpu();
  progress_.sums.penalties.resize(static_cast<size_t>(penalties.numel()));
  for (size_t k = 0; k < progress_.sums.penalties.size(); ++k)
    progress_.sums.penalties[k] += penalties.data_ptr<double>()[k];
}

/// What an update is judged by.
struct Trainer::Gathered {
  std::vector<double> losses, norms;  ///< the output layer's loss last; norms of the blocks' gradients
  std::vector<double> layers;         ///< norms of the layers' gradients
  double norm;                        ///< of all gradients together
  bool finite() const {
    return std::isfinite(norm) && std::isfinite(std::accumulate(losses.begin(), losses.end(), 0.0));
  }
};

/// One transfer for all of it.
Trainer::Gathered Trainer::gather(const BlockLosses& losses) const {
  std::vector<Tensor> values = losses;
  for (Tensor& loss : values)
    if (!loss.defined()) loss = torch::zeros({}, torch::TensorOptions(torch::kDouble).device(t_.device));
  std::vector<Tensor> of_parameters;
  for (const NamedTensors& block : blocks_) values.push_back(grad_norm(block, &of_parameters).to(t_.device));
  for (const Tensor& square : of_parameters) values.push_back(square.to(t_.device));
  for (Tensor& value : values) value = value.to(torch::kDouble);
  const Tensor all = torch::stack(values).cpu();
  const double* data = all.data_ptr<double>();
  Gathered result;
  result.losses.assign(data, data + losses.size());
  const double* square = data + losses.size() + blocks_.size();
  result.norms.assign(data + losses.size(), square);
  result.layers.assign(layers_.size(), 0);
  for (const auto& block : layer_of_)
    for (const size_t layer : block) result.layers[layer] += *square++;
  for (double& norm : result.layers) norm = std::sqrt(norm);
  result.norm = joint_norm(result.norms.data(), result.norms.size());
  return result;
}

double Trainer::learning_rate(int64_t iteration) const {
  return t_.rate->at(t_.optimizer->base_rate(), iteration, loader_.batches(), t_.options.epochs);
}

/// One optimizer step from the gradients gathered since the last one; false if it was left out.
bool Trainer::update(const Batch& batch, const Segment& segment, const BlockLosses& losses) {
  const TrainOptions& options = t_.options;
  const Gathered now = gather(losses);
  batch_loss_ += now.losses.back();
  if (!now.finite()) {
    if (options.on_nan == "stop") {
      const double sum = std::accumulate(now.losses.begin(), now.losses.end(), 0.0);
      fail(&batch, str("batch ", progress_.batch + 1, ": loss ", sum, ", gradient norm ", now.norm),
           "; train.on_nan = \"skip\" leaves such updates out");
    }
    ++progress_.sums.skipped;
    t_.optimizer->zero_grad();
    norms_.restore();
    return false;
  }
  if (pipe_) {
    norms_here_.insert(norms_here_.end(), now.norms.begin(), now.norms.end());
  } else {
    add_norms(now.norms.data());
  }
  if (options.clip_norm > 0) {
    for (size_t b = 0; b < blocks_.size(); ++b) clip_grads(blocks_[b], now.norms[b], options.clip_norm);
  }
  if (t_.binarizer) t_.binarizer->before_step();
  t_.optimizer->step(segment.lr_factor * learning_rate(progress_.iteration));
  if (options.clamp > 0) clamp_weights(synaptic_, options.clamp);
  t_.optimizer->zero_grad();
  norms_.remember();
  EpochSums& sums = progress_.sums;
  sums.loss += now.losses.back();
  sums.head_losses.resize(now.losses.size() - 1);
  for (size_t b = 0; b + 1 < now.losses.size(); ++b) sums.head_losses[b] += now.losses[b];
  sums.layer_norms.resize(now.layers.size());
  for (size_t k = 0; k < now.layers.size(); ++k) sums.layer_norms[k] += now.layers[k];
  ++sums.updates;
  ++progress_.optimizer_steps;
  return true;
}

bool Trainer::checkpoint_due() const {
  const TrainOptions& options = t_.options;
  if (progress_.batch == loader_.batches()) return false;  // the epoch's own checkpoint follows
  if (options.checkpoint_batches > 0 && progress_.iteration % options.checkpoint_batches == 0) return true;
  return group_ ? group_saves_ : checkpoint_time();
}

bool Trainer::checkpoint_time() const {
  return t_.options.checkpoint_seconds > 0 &&
         seconds_since(last_checkpoint_) >= static_cast<double>(t_.options.checkpoint_seconds);
}

void Trainer::checkpoint() {
  take_up();
  progress_.sums.metrics = metrics_.totals();
  Progress all = progress_;
  all.sums = settled();
  collect();
  write_checkpoint(all);
}

void Trainer::write_checkpoint(const Progress& progress) {
  last_checkpoint_ = Clock::now();
  if (!options_.run_dir) return;
  const std::string dir = options_.run_dir->checkpoints();
  save_checkpoint(checkpoint_path(dir, progress.iteration), network_, *t_.optimizer, info(), progress,
                  kept());
  prune_checkpoints(dir, t_.options.keep);
}

/// A run cannot end before where it stands, nor later than its learning rate was planned for.
void Trainer::check_epochs() const {
  const int64_t least = progress_.epoch + (progress_.batch > 0 ? 1 : 0), epochs = t_.options.epochs;
  ST_CHECK(epochs >= least, "resume: the run has trained ", progress_.epoch, " epochs",
           progress_.batch > 0 ? str(" and ", progress_.batch, " batches") : "",
           "; expected epochs >= ", least, ", got ", epochs);
  ST_CHECK(epochs == progress_.epochs || !t_.rate->reads_epochs(), "resume: epochs was ", progress_.epochs,
           " and is now ", epochs, "; the learning-rate schedule depends on it");
}

void Trainer::resume() {
  if (!group_ || group_->rank() == 0) resume_here();
  if (group_) share_state(*group_, t_, progress_);
  if (pipe_) keep_own(progress_.sums);
}

void Trainer::resume_here() {
  ST_CHECK(options_.run_dir, "resume: needs a run directory");
  const std::vector<std::string> paths = list_checkpoints(options_.run_dir->checkpoints());
  std::vector<std::string> damaged;
  Config environment;
  for (const std::string& path : paths) {
    try {
      const SafetensorsFile file = open_checkpoint(path);
      check_resumable(checkpoint_config(file), t_.config, t_.docs);
      check_same_data(checkpoint_data(file), data_);
      progress_ = load_checkpoint(file, network_, *t_.optimizer, kept());
      check_epochs();
      environment = checkpoint_environment(file);
    } catch (const SystemError&) {
      throw;  // the file may be sound
    } catch (const DataError& error) {
      message(str("checkpoint cannot be read, trying the one before: ", error.what()), true);
      damaged.push_back(path);
      continue;
    }
    // Out of the list, or pruning would keep them for being newest and delete the good ones.
    for (const std::string& bad : damaged) {
      rename_durably(bad, bad + ".damaged");
      message(str("kept as ", bad, ".damaged"), true);
    }
    options_.run_dir->truncate_metrics(progress_.metrics_bytes);
    message(str("resumed from ", path, ": epoch ", progress_.epoch + 1, ", batch ", progress_.batch));
    const std::string other = environment_difference(environment, options_.environment);
    if (!other.empty())
      message("the run continues in another environment, which may change its results: " + other, true);
    return;
  }
  if (!paths.empty()) {
    throw DataError(
        paths.front(), 0,
        str("none of ", paths.size(), " checkpoints can be read; to start over, give a new --out"));
  }
  check_resumable_dir(*options_.run_dir, t_);
  options_.run_dir->truncate_metrics(0);
  message(str("no checkpoint in ", options_.run_dir->checkpoints(), ": starting at the first epoch"), true);
}

/// Leaves what there is to look at and throws; `batch` may be null.
void Trainer::fail(const Batch* batch, const std::string& what, const std::string& advice) {
  std::string where;
  if (!t_.reads_inputs()) batch = nullptr;
  if (options_.run_dir) {
    where = write_numeric_dump(*options_.run_dir, t_, progress_, batch);
    where = str(batch ? "; batch, weights and gradients are in " : "; weights are in ", where);
  }
  throw NumericError(str("epoch ", progress_.epoch + 1, ", ", what, where, advice));
}

void Trainer::message(const std::string& text, bool warning) {
  for (Observer* observer : options_.observers) observer->on_message(text, warning);
}

}  // namespace spiketrain
