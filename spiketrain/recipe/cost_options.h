// What the cost meter has to know of a recipe.
// Tests: unit/cost_network_test.cpp.
#pragma once
#include "spiketrain/cost/cost.h"
#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

/// Samples of the recipe's data set; `input`: shape of one at one step.
SampleSpec sample_of(const Recipe& recipe, const Shape& input);
/// Their targets; `output`: shape of what the network puts out.
TargetSpec target_of(const Recipe& recipe, const Shape& output);

/// For samples like these.  What the encoder puts out is found by encoding one empty sample.
CostOptions cost_options(const Recipe& recipe, const SampleSpec& sample);
CostOptions cost_options(const Recipe& recipe, const Shape& input);

}  // namespace spiketrain
