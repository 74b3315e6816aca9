// The section [binarize] of a recipe, built.
#pragma once
#include <memory>

#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

/// Null if the recipe has nothing to choose.  `network`: after freeze(), where it will train.  UsageError for what Binarizer refuses, for places that are not
/// there, too few epochs, and layers that their quantizer cannot quantize.
std::shared_ptr<Binarizer> make_binarizer(const Recipe& recipe,
                                          const std::shared_ptr<const Network>& network);

}  // namespace spiketrain
