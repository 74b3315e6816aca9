// From a network to the plain numbers of a Model.  Tests: deploy/model_test.cpp.
#pragma once
#include "spiketrain/core/network.h"
#include "spiketrain/deploy/model.h"

namespace spiketrain::deploy {

/// UsageError that names the node and what it holds if the network is more than a chain of convolutions and fully connected layers, sum and
/// average pooling, with neurons lif, if or psp_lif, and leaky_readout for output.  Heads and dropout are left out.
Model read_network(const Network& network);

/// What of a neuron is folded into the weights before it.
struct FoldedNeuron {
  Coefficients gain = {1}, rest = {0};  ///< factor on the current, and what is added to it after that
  double output_tau = 0;                ///< > 0: it sends the PSP of its spikes
};
/// Fills what `layer` says of its neurons.  UsageError, with `place` in it, if it is a neuron that cannot be exported.
FoldedNeuron read_neuron(const Neuron& neuron, const std::string& place, Layer& layer);

/// The numbers of a tensor, in order.
std::vector<double> numbers(const Tensor& x);

}  // namespace spiketrain::deploy
