#include "spiketrain/train/evaluate.h"

#include <chrono>

#include "spiketrain/data/loader.h"
#include "spiketrain/train/pass.h"

namespace spiketrain {
namespace {

/// No training epoch has this number, so evaluation draws from streams of its own.
constexpr uint64_t kEvaluationEpoch = UINT64_MAX;

}  // namespace

std::vector<LayerRate> layer_rates(const std::vector<StageInfo>& stages, const EpochSums& sums) {
  std::vector<LayerRate> rates;
  for (const StageInfo& stage : stages) {
    const auto slot = static_cast<size_t>(stage.slot);
    if (stage.slot < 0 || slot >= sums.places.size() || sums.places[slot] == 0) continue;
    rates.push_back({stage.spec, stage.slot,
                     static_cast<double>(sums.spikes[slot]) / static_cast<double>(sums.places[slot])});
  }
  return rates;
}

void add_activity(const std::vector<Activity>& activity, EpochSums& sums) {
  sums.spikes.resize(activity.size());
  sums.places.resize(activity.size());
  for (size_t slot = 0; slot < activity.size(); ++slot) {
    sums.spikes[slot] += activity[slot].spikes;
    sums.places[slot] += activity[slot].places;
  }
}

Config to_json(const EpochReport& report) {
  Config json = {{"epoch", report.epoch},
                 {"iteration", report.iteration},
                 {"lr", report.lr},
                 {"train_loss", report.train_loss},
                 {"train_accuracy", report.train_accuracy},
                 {"grad_norm", report.grad_norm},
                 {"skipped", report.skipped},
                 {"optimizer_steps", report.optimizer_steps}};
  if (!report.head_losses.empty()) json["head_losses"] = report.head_losses;
  if (report.validation_accuracy >= 0) {
    json["validation_loss"] = report.validation_loss;
    json["validation_accuracy"] = report.validation_accuracy;
  }
  json["test_loss"] = report.test_loss;
  json["test_accuracy"] = report.test_accuracy;
  json["rates"] = Config::array();
  for (const LayerRate& layer : report.rates)
    json["rates"].push_back({{"layer", layer.spec}, {"rate", layer.rate}});
  for (const LayerCosine& layer : report.cosines)
    json["gradient_cosine"].push_back({{"layer", layer.spec}, {"cosine", layer.cosine}});
  json["seconds"] = report.seconds;
  json["evaluation_seconds"] = report.evaluation_seconds;
  json["samples_per_second"] = report.samples_per_second;
  json["peak_memory_mib"] = report.peak_memory_mib;
  return json;
}

Evaluation evaluate(const Experiment& e, const Dataset& data, int64_t batch_size) {
  ST_CHECK(data.size() > 0, "evaluate: the data set is empty");
  torch::NoGradGuard no_grad;
  const auto begin = std::chrono::steady_clock::now();
  const bool was_training = e.network->is_training();
  e.network->eval();
  const auto seed = static_cast<uint64_t>(e.recipe.seed);
  LoaderOptions options;
  options.batch_size = batch_size;
  options.shuffle = false;
  Loader loader(data, options);
  loader.start(0);

  Evaluation result;
  EpochSums sums;
  Batch batch;
  while (loader.next(batch)) {
    const PassInput input = {batch.x.to(e.device),
                             batch.y.to(e.device),
                             {seed, kEvaluationEpoch, static_cast<uint64_t>(batch.first)}};
    const Tensor& y = input.y;
    Pass pass = e.network->start(e.rule, /*train=*/false, seed);
    Tensor scores, loss;
    for (const Window& window : e.plan.windows) {
      const Tensor a = e.network->forward(input_window(e, input, window), pass).dense();
      const Tensor window_loss = e.objective->loss(a, y, window), evidence = e.objective->scores(a);
      loss = loss.defined() ? loss + window_loss : window_loss;
      scores = scores.defined() ? scores + evidence : evidence;
    }
    result.loss += loss.item<double>() * static_cast<double>(y.numel());
    result.accuracy += (scores.argmax(1) == y).sum().item<double>();
    result.samples += y.numel();
    add_activity(pass.activity, sums);
  }
  if (was_training) e.network->train();
  result.loss /= static_cast<double>(result.samples);
  result.accuracy /= static_cast<double>(result.samples);
  result.rates = layer_rates(e.network->describe(), sums);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace spiketrain
