// Recipes on random binary frames, for measuring memory: what is in the frames does not matter.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/rng.h"
#include "spiketrain/train/cost_options.h"
#include "spiketrain/train/experiment.h"

namespace spiketrain {

/// Sequences of `steps` frames, or still images if that is 0, in which every tenth element is 1.
class NoiseFrames : public Dataset {
 public:
  NoiseFrames(int64_t size, int64_t steps, Shape shape)
      : size_(size), steps_(steps), shape_(std::move(shape)) {}
  int64_t size() const override { return size_; }
  int64_t steps() const override { return steps_; }
  std::vector<int64_t> sample_shape() const override { return shape_; }
  int64_t classes() const override { return 10; }
  int64_t label(int64_t index) const override { return index % 10; }
  void get(int64_t index, int64_t /*epoch*/, float* out) const override { draw(index, numel(shape_), out); }
  void get_frames(int64_t index, int64_t /*epoch*/, uint8_t* out) const override {
    draw(index, steps_ * numel(shape_), out);
  }
  std::string describe() const override { return "noise"; }

 private:
  template <class T>
  static void draw(int64_t index, int64_t count, T* out) {
    Rng rng(1, Purpose::test, 3, static_cast<uint64_t>(index));
    for (int64_t i = 0; i < count; ++i) out[i] = rng.below(10) == 0;
  }
  int64_t size_, steps_;
  Shape shape_;
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
  Experiment e = build_experiment(make_recipe(config), data);
  e.network->train();
  return e;
}

/// Predicted bytes of activations of a batch.
inline int64_t predict(const Experiment& e) {
  CostOptions options = cost_options(e.recipe, e.data.train->sample_shape());
  if (e.data.train->steps() > 0) {  // not a data set of the table
    options.input = {e.data.train->sample_shape(), Values::binary, false, 1};
    options.count_input = true;
  }
  options.threads = at::get_num_threads();
  return measure_cost(e.network->describe(), options).activation_bytes_predicted * e.recipe.data.batch;
}

}  // namespace spiketrain
