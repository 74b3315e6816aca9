// Recipes on random binary frames, for measuring memory: what is in the frames does not matter.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/rng.h"
#include "spiketrain/recipe/cost_options.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain {

/// Sequences of `steps` frames, or still images if that is 0, in which every tenth element is 1.
class NoiseFrames : public Dataset {
 public:
  NoiseFrames(int64_t size, int64_t steps, Shape shape)
      : size_(size),
        sample_(steps > 0 ? SampleSpec::frames(steps, std::move(shape), torch::kByte)
                          : SampleSpec::image(std::move(shape))) {}
  int64_t size() const override { return size_; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t index) const override { return index % 10; }
  void read(int64_t index, int64_t /*epoch*/, void* out) const override {
    if (sample_.type == torch::kByte) {
      draw(index, static_cast<uint8_t*>(out));
    } else {
      draw(index, static_cast<float*>(out));
    }
  }
  std::string describe() const override { return "noise"; }

 private:
  template <class T>
  void draw(int64_t index, T* out) const {
    Rng rng(1, Purpose::test, 3, static_cast<uint64_t>(index));
    for (int64_t i = 0; i < sample_.numel(); ++i) out[i] = rng.below(10) == 0;
  }
  int64_t size_;
  SampleSpec sample_;
  TargetSpec target_ = TargetSpec::class_index(10);
};

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
  data.train = data.test = std::make_shared<NoiseFrames>(batch, still ? 0 : T, input);
  return build_experiment(make_recipe(config), data);
}

/// What the cost meter has to know of it.
inline CostOptions noise_costs(const Experiment& e) {
  CostOptions options = cost_options(e.recipe, e.training.data.train->sample());
  options.rules = e.training.learner->parts().method.layers;
  options.threads = at::get_num_threads();
  return options;
}

/// Predicted bytes of activations of a batch.
inline int64_t predict(const Experiment& e) {
  const CostReport report = measure_cost(network_rows(e.training.network()), noise_costs(e));
  return report.activation_bytes_predicted * e.recipe.data.batch;
}

}  // namespace spiketrain
