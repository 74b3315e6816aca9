// An analog network of neuron qcfs as a spiking one of neuron if, without further training.  Of layer l with greatest value up_l:
//   analog    a_l = up_l * Q((W a_(l-1) + b) / up_l),  Q rounding to L levels from 0 to 1
//   spiking   threshold 1, initial membrane 1/2, reset by subtraction, W' = W * up_(l-1) / up_l, b' = b / up_l
// so that up_l times the spikes of a neuron, divided by the steps, is the analog value: exactly where the current is the same at every
// step and there are L steps, which holds for the first layer; nearer the more steps there are for those above, whose spikes come in
// another order.  The output layer keeps real values: W' = W * up_(l-1), b' = b.  A batch norm is folded into weights and bias first.
// Source: Bu et al. 2022, "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural networks".
// Deviation: the threshold is folded into the weights, theirs stays in the neuron.  Tests: unit/conversion_test.cpp, unit/convert_cli_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

/// The recipe of the spiking network that the run of `analog` becomes, for so many steps; 0: as many as its neurons have levels.
/// UsageError that names what of it cannot be converted.
Recipe spiking_recipe(const Recipe& analog, int64_t steps);

/// A layer of spiking neurons, and what a spike of it stands for.
struct ConvertedLayer {
  std::string node, notation;
  double up;
};
/// Writes the weights of `analog` into `spiking`, the network of its spiking_recipe().  UsageError that names the node that cannot be
/// converted; then `spiking` may have been changed.
std::vector<ConvertedLayer> convert_weights(const Network& analog, Network& spiking);

}  // namespace spiketrain
