// What the cost meter has to know of a recipe.
#pragma once
#include "spiketrain/train/cost.h"
#include "spiketrain/train/recipe.h"

namespace spiketrain {

/// `input`: shape of one sample.  What the encoder puts out is found by encoding one empty sample.
CostOptions cost_options(const Recipe& recipe, const Shape& input);

}  // namespace spiketrain
