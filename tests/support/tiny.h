// A run small enough for unit tests: 6 x 6 images of four classes, a network of two layers.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/counts.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/trainer.h"
#include "tests/support/message.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny_data.h"

namespace spiketrain {

/// Overrides are applied as --set would.
inline Recipe tiny_recipe(const std::vector<std::string>& sets = {}) {
  Config config = {{"steps", 5},
                   {"epochs", 2},
                   {"data", {{"batch", 8}}},
                   {"network", {{"name", "spec"}, {"spec", "6C3-P2-4"}}},
                   {"neuron", {{"name", "psp_lif"}}},
                   {"rule", {{"name", "tssl_bp"}}},
                   {"objective", {{"name", "van_rossum"}}},
                   {"optimizer", {{"name", "adamw"}, {"lr", 0.01}}},
                   {"train", {{"clip_norm", 1.0}, {"clamp", 4.0}}}};
  for (const std::string& set : sets) apply_set(config, set);
  return make_recipe(config);
}

/// An experiment on the tiny data.
inline Experiment tiny_experiment(const std::vector<std::string>& sets = {}, Datasets data = tiny_data()) {
  return build_experiment(tiny_recipe(sets), std::move(data));
}

/// Whether a rule needs the whole sequence in one segment.
inline bool reads_counts(const std::string& rule) {
  return dynamic_cast<const OfCounts*>(make<Rule>({{"name", rule}}).get()) != nullptr;
}

/// Settings of a rule, with neurons that it works with.
inline std::vector<std::string> rule_settings(const std::string& rule) {
  const RuleP made = make<Rule>({{"name", rule}});
  const auto psp = make<Neuron>("psp_lif");
  psp->build({1});
  const std::string set = "rule={name=\"" + rule + "\"}";
  if (compatible(*made, *psp)) return {set};
  if (reads_counts(rule))
    return {"neuron=if", "readout={name=\"leaky_readout\", leak=0}", "objective=rate_ce", set};
  std::vector<std::string> sets = {"neuron=lif", "readout=leaky_readout", "objective=tet_ce", set};
  const Config own = made->neuron();
  if (!own.is_null()) {
    sets.insert(sets.end(), {"rules.readout=bptt"});
    for (const auto& [key, value] : own.items()) sets.push_back("neuron." + key + "=" + value.dump());
  }
  return sets;
}

/// Notes the loss of every batch and every message.
struct LossRecorder : Observer {
  std::vector<double> losses;
  std::vector<EpochReport> epochs;
  std::vector<std::string> messages;
  void on_batch(const BatchReport& report) override { losses.push_back(report.loss); }
  void on_epoch(const EpochReport& report) override { epochs.push_back(report); }
  void on_message(const std::string& text, bool) override { messages.push_back(text); }
};

/// Stops a run after `batches` batches.
struct StopAfter : LossRecorder {
  explicit StopAfter(size_t batches) : batches(batches) {}
  void on_batch(const BatchReport& report) override {
    LossRecorder::on_batch(report);
    if (losses.size() >= batches) stop = true;
  }
  size_t batches;
  std::atomic<bool> stop{false};
};

}  // namespace spiketrain
