#include "spiketrain/train/cost_options.h"

#include "spiketrain/core/encoder.h"
#include "spiketrain/data/dataset.h"

namespace spiketrain {
namespace {

bool recipe_has_frames(const Recipe& recipe) {
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.name == recipe.data.name) return info.events;
  }
  return false;  // a data set of the caller's own
}

CostInput input_of(const Recipe& recipe, const Shape& shape) {
  CostInput input;
  input.shape = shape;
  if (recipe_has_frames(recipe)) {
    input.values = recipe.events.accumulate == "or" ? Values::binary : Values::real;
    return input;
  }
  std::vector<int64_t> sizes = {1};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  const auto encoder = Registry<Encoder>::get().make(recipe.encoder);
  const Signal signal = encoder->encode(torch::zeros(sizes), {0, recipe.steps, recipe.steps}, {});
  input.values = signal.s.defined() ? Values::binary : Values::real;
  input.stationary = signal.stationary();
  return input;
}

}  // namespace

CostOptions cost_options(const Recipe& recipe, const Shape& input) {
  CostOptions options;
  options.plan = Registry<Schedule>::get().make(recipe.schedule)->plan(recipe.steps);
  options.block_major = recipe.blocks.order != "time";
  options.batch = recipe.data.batch;
  options.input = input_of(recipe, input);
  // An image is there before the pass; what is made of it, or of frames, for each window is not.
  options.count_input = !options.input.stationary;
  options.rule = Registry<Rule>::get().make(recipe.rule);
  options.optimizer_words = recipe.optimizer.name != "sgd" ? 2 : recipe.optimizer.momentum > 0 ? 1 : 0;
  options.energy = recipe.cost;
  return options;
}

}  // namespace spiketrain
