// Recipes and their data as Python gives them: what training, evaluation and exports share.
#pragma once
#include "python/src/bind.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain::python {

/// From a path or a dict, with overrides "key=value".
Recipe resolved_recipe(const py::object& from, const std::vector<std::string>& sets);

/// The splits that a program gave as tensors: {"frames": bool, "train": (x, y), "test": (x, y)}, perhaps "validation".
Datasets given_splits(const py::dict& given);

/// The splits: given as tensors, or, with None, those that the recipe names.
Datasets splits(const Recipe& recipe, const py::object& data, const std::string& dir);

/// The recipe's experiment with the values of a network's tensors.  UsageError if the network is not that of the recipe.
Experiment experiment_of(const Trainable& t, const Recipe& recipe, Datasets data, const std::string& device);

}  // namespace spiketrain::python
