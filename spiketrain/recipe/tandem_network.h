// The networks of progressive tandem learning: the first hidden layers have neurons of [neuron], with thresholds of their own, the others are
// analog (count_relu), and what an analog layer sends stands for the spike counts that a converted one will send.
// Tests: train/tandem_test.cpp, unit/tandem_parts_test.cpp.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

/// Makes the neurons of a recipe's hidden layers in their order, those of tandem.thresholds first.
std::function<std::shared_ptr<Neuron>()> hidden_neurons(const Recipe& recipe);

/// UsageError if recipe.tandem is progressive and the network is no chain of layers whose sums over the steps follow from each other, that is, has
/// blocks, biases added at every step, stages that are not linear in each step, or a readout with memory; or if the encoder is not zero_expand.
void check_tandem(const Recipe& recipe, const Network& network);

/// A hidden layer: its node in the network.
struct HiddenLayer {
  size_t node;
  std::string name, notation;
  int64_t slot;
};
/// Of a network that check_tandem() accepts, lowest first.
std::vector<HiddenLayer> hidden_layers(const Network& network);

/// Copies the tensors of `from` to `to`, whose layer number `converted`, counted from 0, has become spiking with this threshold, and multiplies
/// the weights that read it with the threshold, so that counts stand for what the layer sent before; -1: none has.
void copy_converted(const Network& from, Network& to, int64_t converted, double threshold);

/// Percentile of all values, by linear interpolation between the two nearest.  UsageError if there are none.
double percentile_of(const Tensor& values, double percent);

}  // namespace spiketrain
