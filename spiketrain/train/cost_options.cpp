#include "spiketrain/train/cost_options.h"

#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

CostInput input_of(const Recipe& recipe, const Shape& shape) {
  std::vector<int64_t> sizes = {1};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  const auto encoder = Registry<Encoder>::get().make(recipe.encoder);
  const Signal signal = encoder->encode(torch::zeros(sizes), recipe.steps, {});
  CostInput input;
  input.shape = shape;
  input.values = signal.s.defined() ? Values::binary : Values::real;
  input.stationary = signal.stationary();
  return input;
}

}  // namespace

CostOptions cost_options(const Recipe& recipe, const Shape& input) {
  CostOptions options;
  options.plan = Registry<Schedule>::get().make(recipe.schedule)->plan(recipe.steps);
  options.batch = recipe.data.batch;
  options.input = input_of(recipe, input);
  options.rule = Registry<Rule>::get().make(recipe.rule);
  options.optimizer_words = recipe.optimizer.name != "sgd" ? 2 : recipe.optimizer.momentum > 0 ? 1 : 0;
  options.energy = recipe.cost;
  return options;
}

}  // namespace spiketrain
