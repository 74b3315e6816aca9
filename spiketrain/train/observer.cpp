#include "spiketrain/train/observer.h"

namespace spiketrain {
namespace {

void add(Config& json, const std::string& split, const Scores& scores) {
  json[split + "_loss"] = scores.loss;
  for (const auto& [label, value] : scores.metrics) json[split + "_" + label] = value;
}

}  // namespace

Config to_json(const EpochReport& report) {
  Config json = {{"epoch", report.epoch}, {"iteration", report.iteration}, {"lr", report.lr}};
  if (report.stage.number > 0) json["stage"] = report.stage.number;
  add(json, "train", report.train);
  json["grad_norm"] = report.grad_norm;
  json["skipped"] = report.skipped;
  json["clipped"] = report.clipped;
  json["optimizer_steps"] = report.optimizer_steps;
  if (!report.head_losses.empty()) json["head_losses"] = report.head_losses;
  for (const auto& [name, penalty] : report.penalties) json["train_penalty_" + name] = penalty;
  if (report.validation) add(json, "validation", *report.validation);
  add(json, "test", report.test);
  json["rates"] = Config::array();
  for (const LayerRate& layer : report.rates)
    json["rates"].push_back({{"layer", layer.spec}, {"node", layer.node}, {"rate", layer.rate}});
  json["grad_norms"] = Config::array();
  for (const LayerNorm& layer : report.grad_norms)
    json["grad_norms"].push_back({{"layer", layer.spec}, {"node", layer.node}, {"norm", layer.norm}});
  for (const LayerCosine& layer : report.cosines)
    json["gradient_cosine"].push_back({{"layer", layer.spec}, {"cosine", layer.cosine}});
  if (report.traffic) {
    json["bytes_sent"] = report.traffic->bytes;
    json["seconds_waiting"] = report.traffic->seconds_waiting;
  }
  json["seconds"] = report.seconds;
  json["evaluation_seconds"] = report.evaluation_seconds;
  json["samples_per_second"] = report.samples_per_second;
  json["peak_memory_mib"] = report.peak_memory_mib;
  return json;
}

}  // namespace spiketrain
