// Experiment = everything a recipe describes, built and checked against each other.
// Tests: unit/config_test.cpp.
#pragma once
#include <memory>
#include <string>

#include "spiketrain/recipe/recipe.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

struct Experiment {
  Recipe recipe;
  Training training;
  bool begun = false;  ///< has the weights that training begins with, see begin_training()
};

/// Opens the splits a recipe names.  Errors as open_dataset.
Datasets open_datasets(const Recipe& recipe, const std::string& data_dir);

/// UsageError if the splits do not fit each other or the recipe, or if there is one class alone.
void check_data(const Datasets& data, const Recipe& recipe);

/// "cpu" or "cuda".  UsageError for another name, or if this machine or LibTorch has no CUDA.
torch::Device parse_device(const std::string& name);

/// The network alone, its weights zero until Network::initialise, for samples of shape `input` at one step and an output of shape `output`.
std::shared_ptr<Network> make_network(const Recipe& recipe, const Shape& input, const Shape& output);

/// The rule of every layer.  Places of the section [rules], the later in this list win:
///   blockN    layers of block N, counted from 0
///   readout   the output layer, and the heads of all blocks
///   NAME      the layers of the node of that name, as `spiketrain inspect` shows it
/// UsageError if the network has no such place.
Method make_method(const Recipe& recipe, const Network& network);

/// The metrics of a recipe; if it names none, what suits the kind of target: accuracy, mse, or none.  UsageError if one
/// cannot judge such targets or comes twice.
std::vector<MetricP> make_metrics(const Recipe& recipe, Target::Kind kind);

/// How a recipe learns: "rule bptt (readout: tssl_bp), neuron lif, schedule whole, objective rate_ce, blocks of 2 layers", or what takes
/// their place in networks with adjoints or neurons of their own.
std::string method_text(const Recipe& recipe);

/// What can be changed in a recipe if layers fire too little or too much: options that its network and its neurons have.
RateAdvice rate_advice(const Recipe& recipe);

/// UsageError for what build_experiment would refuse, as far as it shows without the data.
void check_recipe(const Recipe& recipe);

/// UsageError if parts do not fit: rule and neuron, network and target, objective and output.
Experiment build_experiment(const Recipe& recipe, Datasets data, torch::Device device = torch::kCPU);

}  // namespace spiketrain
