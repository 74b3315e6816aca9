// Experiment = everything a recipe describes, built and checked against each other.
#pragma once
#include <memory>
#include <string>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/data/dataset.h"
#include "spiketrain/train/recipe.h"

namespace spiketrain {

struct Datasets {
  std::shared_ptr<const Dataset> train, validation, test;  ///< validation may be null
};
/// Opens the splits a recipe names.  Errors as open_dataset.
Datasets open_datasets(const Recipe& recipe, const std::string& data_dir);

/// What happens in one pass over a batch, and in which order.
struct PassPlan {
  std::vector<Window> windows;  ///< cover [0, T) in order
  bool block_major = true;  ///< a block finishes a window, backward included, before the next block begins
};

struct Experiment {
  Recipe recipe;
  torch::Device device = torch::kCPU;
  Datasets data;
  std::shared_ptr<Network> network;
  RuleP rule;
  PassPlan plan;
  std::shared_ptr<const Objective> objective;
  std::shared_ptr<const Encoder> encoder;
};

/// "cpu" or "cuda".  UsageError for another name, or if this machine or LibTorch has no CUDA.
torch::Device parse_device(const std::string& name);

/// The network alone, with initial weights, for samples of shape `input`.
std::shared_ptr<Network> make_network(const Recipe& recipe, const Shape& input, int64_t classes);

/// UsageError for what build_experiment would refuse, as far as it shows without the data.
void check_recipe(const Recipe& recipe);

/// UsageError if parts do not fit: rule and neuron, network and classes, objective and output.
Experiment build_experiment(const Recipe& recipe, Datasets data, torch::Device device = torch::kCPU);

}  // namespace spiketrain
