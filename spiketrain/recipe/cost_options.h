// What the cost meter has to know of a recipe, and the report of a run.
// Tests: unit/cost_test.cpp, unit/config_test.cpp.
#pragma once
#include "spiketrain/cost/cost.h"
#include "spiketrain/recipe/recipe.h"
#include "spiketrain/train/observer.h"

namespace spiketrain {

/// For samples like these.  What the encoder puts out is found by encoding one empty sample.
CostOptions cost_options(const Recipe& recipe, const SampleSpec& sample);
/// For samples of the recipe's data set; `input`: shape of one at one step.
CostOptions cost_options(const Recipe& recipe, const Shape& input);

/// What a run will need beside the memory it has now, for people: activations of a batch, gradients, state of the
/// optimizer.  UsageError if that is more than this process can get (memory_left(); on the CPU only).
std::string check_memory(const Recipe& recipe, const Training& training);

/// Writes cost.json when a run begins: operations and bytes of activations per sample, predicted, and the bytes
/// measured on one batch.
class CostObserver : public Observer {
 public:
  explicit CostObserver(Recipe recipe) : recipe_(std::move(recipe)) {}
  void on_begin(const BeginReport& report) override;

 private:
  Recipe recipe_;
};

}  // namespace spiketrain
