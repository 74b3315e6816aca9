// The end of an epoch and of a run: what was measured, and what is best so far.
#include <algorithm>
#include <cmath>

#include "spiketrain/train/binarizer.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain {

/// A last update may have broken the weights, or a batch the statistics of a norm, without a bad loss in
/// training.
void Trainer::check_weights() {
  const std::string broken = first_not_finite(network_tensors(network_));
  if (!broken.empty()) fail(nullptr, str("tensor ", broken, " holds NaN or infinity"), past_skipping());
}

const char* Trainer::past_skipping() const {
  return t_.options.on_nan == "skip"
             ? "; train.on_nan = \"skip\" leaves out updates, and cannot save weights that give this: try a smaller "
               "learning rate or train.clip_norm"
             : "";
}

EpochReport Trainer::report_training() const {
  const EpochSums& sums = progress_.sums;
  // 0/0, which JSON writes as null, if every update was skipped.
  const auto steps = static_cast<double>(sums.updates);
  const auto samples = static_cast<double>(std::max<int64_t>(1, sums.samples));
  // Of a sample, whether the objective averages over a batch or sums over it: as evaluations report it.
  const bool sum = t_.learner->parts().objective->sums_over_samples();
  const double per_batch = static_cast<double>(updates(t_.learner->plan())) /
                           (sum ? samples / static_cast<double>(loader_.batches()) : 1.0);
  EpochReport report;
  report.epoch = progress_.epoch + 1;
  report.epochs = t_.options.epochs;
  report.iteration = progress_.iteration;
  report.stage = options_.stage;
  report.lr = learning_rate(progress_.iteration - 1);
  report.train.loss = sums.loss / steps * per_batch;
  for (const double loss : sums.head_losses) report.head_losses.push_back(loss / steps * per_batch);
  report.train.metrics = metrics_.values(sums.metrics);
  report.grad_norm = sums.grad_norm / steps;
  for (size_t k = 0; k < sums.layer_norms.size(); ++k)
    report.grad_norms.push_back({layers_[k].spec, layers_[k].node, sums.layer_norms[k] / steps});
  report.skipped = sums.skipped;
  report.clipped = sums.clipped;
  report.optimizer_steps = progress_.optimizer_steps;
  report.rates = layer_rates(network_, sums.activity);
  report.seconds = sums.seconds;
  report.samples_per_second = sums.seconds > 0 ? samples / sums.seconds : 0;
  report.labels = metrics_.labels();
  const std::vector<RegularizerP>& regularizers = t_.learner->parts().regularizers;
  for (size_t k = 0; k < sums.penalties.size(); ++k)
    report.penalties.emplace_back(regularizers[k]->part_name(),
                                  sums.penalties[k] / static_cast<double>(loader_.batches()));
  return report;
}

Scores Trainer::evaluate_split(const Dataset& data, const char* name, double& seconds) {
  const int64_t batch = t_.options.eval_batch > 0 ? t_.options.eval_batch : t_.options.batch;
  const Evaluation result = evaluate(t_, data, batch);
  if (!std::isfinite(result.loss)) fail(nullptr, str(name, " loss ", result.loss), past_skipping());
  seconds += result.seconds;
  return {result.loss, result.metrics};
}

void Trainer::evaluate_splits(EpochReport& report) {
  if (t_.data.validation)
    report.validation = evaluate_split(*t_.data.validation, "validation", report.evaluation_seconds);
  report.test = evaluate_split(*t_.data.test, "test", report.evaluation_seconds);
  if (t_.options.gradient_cosine > 0) report.cosines = gradient_cosines(t_, t_.options.gradient_cosine);
  report.peak_memory_mib = peak_memory_mib();
}

NamedTensors Trainer::kept() const {
  NamedTensors all = t_.learner->state();
  if (!t_.binarizer) return all;
  for (auto& item : t_.binarizer->state()) all.push_back(std::move(item));
  return all;
}

void Trainer::begin_epoch() {
  if (!t_.binarizer) return;
  const Binarizer::Change change = t_.binarizer->begin_epoch(t_, progress_.epoch);
  for (const std::string& line : change.lines) message(line);
  // What was best before was another network, with more storage.
  if (change.layers) progress_.best.clear();
}

void Trainer::finish_epoch() {
  progress_.sums.metrics = metrics_.totals();
  if (progress_.sums.updates == 0)
    message(str("epoch ", progress_.epoch + 1, ": all ", progress_.sums.skipped, " updates were left out",
                past_skipping()),
            true);
  progress_.sums = settled();
  std::optional<Group::Traffic> sent;
  if (group_) sent = traffic();
  collect();
  check_weights();
  EpochReport report = report_training();
  report.traffic = sent;
  evaluate_splits(report);

  progress_.seconds += report.seconds + report.evaluation_seconds;
  ++progress_.epoch;
  progress_.batch = 0;
  progress_.sums = {};
  metrics_.start({});
  const Scores* validation = report.validation ? &*report.validation : nullptr;
  const bool best = track_best(metrics_, report.epoch, report.test, validation, progress_.best);
  report.best = progress_.best;
  RunDir* dir = options_.run_dir;
  if (dir && best) save_weights(dir->checkpoints() + "/best.safetensors", network_, info(), progress_);
  if (dir) progress_.metrics_bytes = dir->append_metrics(to_json(report));
  for (Observer* observer : options_.observers) observer->on_epoch(report);
  for (const std::string& warning : rate_warnings_.of(report.rates)) message(warning, true);
  if (const std::string line = t_.binarizer ? t_.binarizer->end_epoch() : ""; !line.empty()) message(line);
  const bool last = progress_.epoch == t_.options.epochs || out_of_patience();
  if (last || progress_.epoch % t_.options.checkpoint_every == 0) write_checkpoint(progress_);
}

void Trainer::report_storage() {
  const WeightStorage storage = weight_storage(network_);
  if (storage.switched()) message(storage.text());
  if (const std::string line = t_.binarizer ? t_.binarizer->complaint() : ""; !line.empty())
    message(line, true);
}

void Trainer::finish() {
  if (!options_.run_dir) return;
  Config summary = {{"epochs", progress_.epoch}, {"iterations", progress_.iteration}};
  summary.update(summarize(metrics_, progress_, t_.data.validation != nullptr));
  summary["seconds"] = progress_.seconds;
  summary["network"] = network_.notation();
  summary["parameters"] = network_.parameter_count();
  if (const WeightStorage storage = weight_storage(network_); storage.switched())
    summary["storage"] = storage.json();
  if (const Config paper = t_.config.value("paper", Config()); !paper.empty()) summary["paper"] = paper;
  options_.run_dir->write_json("summary.json", summary);
  options_.run_dir->mark_done();
}

}  // namespace spiketrain
