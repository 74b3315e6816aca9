// Gradients of one batch under a recipe, for the tests of windows and blocks.
#pragma once
#include "spiketrain/train/pass.h"
#include "tests/support/tiny.h"

namespace spiketrain {

/// Three hidden layers and an output layer of `lif` on the tiny images, T = 6, BPTT, a loss at every step.
inline std::vector<std::string> lif_sets(const std::vector<std::string>& more = {}) {
  std::vector<std::string> sets = {"steps=6",
                                   "network.spec=6C3-P2-12-8-4",
                                   "neuron={name=\"lif\", leak=0.5, reset=\"soft\"}",
                                   "readout={name=\"leaky_readout\", leak=0.5}",
                                   "rule={name=\"bptt\"}",
                                   "objective={name=\"tet_ce\"}"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

inline Batch first_batch(const Experiment& e, int64_t size = 8) {
  LoaderOptions options;
  options.batch_size = size;
  options.shuffle = false;
  Loader loader(*e.data.train, options);
  loader.start(0);
  Batch batch;
  EXPECT_TRUE(loader.next(batch));
  return batch;
}

inline PassInput first_input(const Experiment& e, double gain = 4) {
  const Batch batch = first_batch(e);
  return {batch.x * gain, batch.y, {1, 0, 0}};
}

/// Gradients by name, copied; those of parameters without one are left out.
inline NamedTensors gradients(const Network& network) {
  NamedTensors list;
  for (const auto& item : network.named_parameters()) {
    if (item.value().grad().defined()) list.emplace_back(item.key(), item.value().grad().clone());
  }
  return list;
}

/// Gradients after one pass with the recipe's own plan; double precision if asked for.
inline NamedTensors pass_gradients(const std::vector<std::string>& sets,
                                   torch::ScalarType type = torch::kFloat) {
  Experiment e = build_experiment(tiny_recipe(sets), tiny_data());
  e.network->to(type);
  PassInput input = first_input(e);
  input.x = input.x.to(type);
  Pass pass = e.network->start(e.rule, true, 1);
  run_pass(e, e.plan, input, pass, [](const Window&, const BlockLosses&) {});
  return gradients(*e.network);
}

/// Those whose name begins with `prefix`.
inline NamedTensors of(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors list;
  for (const auto& item : tensors) {
    if (item.first.rfind(prefix, 0) == 0) list.push_back(item);
  }
  return list;
}

}  // namespace spiketrain
