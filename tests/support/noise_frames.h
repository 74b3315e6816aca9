// Recipes on noise, for measuring memory: what is in the samples does not matter.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/data/noise.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain {

/// Windows of K steps, blocks of B hidden layers (0: one block).  `more`: as --set would.
/// `still`: images instead of frames.
inline Experiment noise_experiment(const Shape& input, int64_t batch, int64_t T, int64_t K, int64_t B,
                                   const std::vector<std::string>& more, bool still = false) {
  std::vector<std::string> sets = {"steps=" + std::to_string(T),
                                   "data.batch=" + std::to_string(batch),
                                   "network.name=spec",
                                   "rule.name=bptt",
                                   "neuron.name=lif",
                                   "schedule.name=truncated",
                                   "schedule.window=" + std::to_string(K),
                                   "blocks.size=" + std::to_string(B),
                                   "objective.name=rate_ce"};
  sets.insert(sets.end(), more.begin(), more.end());
  Config config = Config::object();
  for (const std::string& set : sets) apply_set(config, set);
  Datasets data;
  const SampleSpec sample = still ? SampleSpec::image(input) : SampleSpec::frames(T, input, torch::kByte);
  data.train = data.test = std::make_shared<Noise>(batch, sample, TargetSpec::class_index(10));
  return build_experiment(make_recipe(config), data);
}

}  // namespace spiketrain
