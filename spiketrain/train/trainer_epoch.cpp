// The end of an epoch: what it measured, what is best so far, and how a run ends at a numeric error.
#include <algorithm>
#include <cmath>

#include "spiketrain/train/probe.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain {

/// A last update may have broken the weights, or a batch the statistics of a norm, without a bad loss in
/// training.
void Trainer::check_weights() {
  const std::string broken = first_not_finite(network_tensors(*e_.network));
  if (!broken.empty()) fail_numerically(nullptr, str("tensor ", broken, " holds NaN or infinity"), "");
}

Evaluation Trainer::evaluate_split(const Dataset& data, const char* name) {
  const TrainSection& options = e_.recipe.train;
  Evaluation result = evaluate(e_, data, options.eval_batch > 0 ? options.eval_batch : e_.recipe.data.batch);
  if (!std::isfinite(result.loss)) fail_numerically(nullptr, str(name, " loss ", result.loss), "");
  return result;
}

void Trainer::finish_epoch() {
  collect_correct();
  check_weights();
  const EpochSums& sums = progress_.sums;
  const auto updates_per_batch =
      std::count_if(e_.plan.windows.begin(), e_.plan.windows.end(), [](const Window& w) { return w.update; });
  // 0/0, which JSON writes as null, if every update was skipped.
  const auto updates = static_cast<double>(sums.updates);
  const auto samples = static_cast<double>(std::max<int64_t>(1, sums.samples));
  EpochReport report;
  report.epoch = progress_.epoch + 1;
  report.epochs = e_.recipe.epochs;
  report.iteration = progress_.iteration;
  report.lr = learning_rate(e_.recipe.lr, e_.recipe.optimizer.lr, progress_.iteration - 1, loader_.batches(),
                            e_.recipe.epochs);
  report.train_loss = sums.loss / updates * static_cast<double>(updates_per_batch);
  for (const double loss : sums.head_losses) {
    report.head_losses.push_back(loss / updates * static_cast<double>(updates_per_batch));
  }
  report.train_accuracy = static_cast<double>(sums.correct) / samples;
  report.grad_norm = sums.grad_norm / updates;
  report.skipped = sums.skipped;
  report.optimizer_steps = progress_.optimizer_steps;
  report.rates = layer_rates(stages_, sums);
  report.seconds = sums.seconds;
  report.samples_per_second = sums.seconds > 0 ? samples / sums.seconds : 0;

  if (e_.data.validation) {
    const Evaluation validation = evaluate_split(*e_.data.validation, "validation");
    report.validation_loss = validation.loss;
    report.validation_accuracy = validation.accuracy;
    report.evaluation_seconds += validation.seconds;
  }
  const Evaluation test = evaluate_split(*e_.data.test, "test");
  report.test_loss = test.loss;
  report.test_accuracy = test.accuracy;
  report.evaluation_seconds += test.seconds;
  if (e_.recipe.train.gradient_cosine > 0)
    report.cosines = gradient_cosines(e_, e_.recipe.train.gradient_cosine);
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

/// Writes what there is to look at and throws; `batch` may be null.
void Trainer::fail_numerically(const Batch* batch, const std::string& what, const std::string& advice) {
  std::string where;
  if (options_.run_dir) {
    NamedTensors dump;
    if (batch) dump = {{"batch.x", batch->x}, {"batch.y", batch->y}, {"batch.index", batch->index}};
    for (const auto& item : network_tensors(*e_.network)) dump.push_back(item);
    for (const auto& [name, parameter] : optimizer_.parameters()) {
      if (parameter.grad().defined()) dump.emplace_back("grad." + name, parameter.grad());
    }
    where = options_.run_dir->file("nan_dump.safetensors");
    save_tensors(where, dump,
                 {{"progress", to_json(progress_).dump()}, {"config", resolve(e_.recipe).dump()}});
    where = str(batch ? "; batch, weights and gradients are in " : "; weights are in ", where);
  }
  throw NumericError(str("epoch ", progress_.epoch + 1, ", ", what, where, advice));
}

}  // namespace spiketrain
