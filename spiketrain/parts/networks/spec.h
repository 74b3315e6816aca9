// From tokens to a network: what every builder that speaks the network notation shares.
#pragma once
#include <memory>
#include <string>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/network.h"

namespace spiketrain {

/// Options that a specification leaves open.
struct SpecOptions {
  std::string padding = "valid", pool = "sum", dropout_shared = "element";
  std::string conv_init = "uniform", linear_init = "kaiming_normal", output_weights = "trained",
              bias_init = "zero";
  Config norm = nullptr, quantizer = nullptr;
  double pool_scale = 1.1, conv_scale = 1.0, linear_scale = 1.0;
  bool bias = false, output_bias = false, weight_standardisation = false;
  double output_scale = 1.0;
  int64_t longest_delay = 0;
  std::string delay_per = "synapse", whole_delays = "evaluation";

  template <class V>
  void visit(V& v) {
    v(padding, "padding",
      "padding of a convolution without a p suffix: none, or such that the map keeps its size",
      Choices{{"valid", "same"}});
    v(pool, "pool", "kind of pooling of a plain P2", Choices{{"sum", "avg", "max"}});
    v(pool_scale, "pool_scale", "factor on the sum over a window, for sum pooling (TSSL-BP: 1.1)");
    v(norm, "norm", "normalisation of the current in every layer but the last", OnePart<Norm>{"none"});
    v(quantizer, "quantizer",
      "quantizes the weights in the products of every layer; learning keeps full precision",
      OnePart<Quantizer>{"none"});
    v(bias, "bias", "learnable bias in every layer");
    v(output_bias, "output_bias", "learnable bias in the output layer, whether or not others have one");
    v(weight_standardisation, "weight_standardisation",
      "weights of mean 0 and variance 1/inputs, times a learned gain, in every layer but the last");
    v(output_scale, "output_scale", "factor on the output of every layer but the last (OTTT: 2.74)",
      Range{1e-9, 1e9});
    v(output_weights, "output_weights",
      "weights of a fully connected output layer: trained, or fixed: random uniform, random sign, square waves",
      Choices{{"trained", "uniform", "sign", "square_wave"}});
    v(longest_delay, "longest_delay",
      "fully connected hidden layers learn a delay for each synapse, of at most this many steps; 0: none",
      Range{0, 1 << 16});
    v(delay_per, "delay_per", "a delay for each synapse, or for each axon", Choices{{"synapse", "axon"}});
    v(whole_delays, "whole_delays", "when delays are rounded to integer steps",
      Choices{{"evaluation", "always", "never"}});
    v(bias_init, "bias_init",
      "initial biases: zero, or uniform: U(-b, b), b = 1/sqrt(inputs of a neuron), as PyTorch draws them",
      bias_init_choices());
    v(conv_init, "conv_init",
      "initial weights of convolutions, n being the inputs of a neuron: uniform: U(-b, b), b = 1/sqrt(n), PyTorch's "
      "default; kaiming_normal: N(0, 2/n); kaiming_uniform: b = sqrt(6/n); xavier_normal: N(0, 2/(n + outputs))",
      init_choices());
    v(conv_scale, "conv_scale", "factor on the initial weights of convolutions");
    v(linear_init, "linear_init", "initial weights of fully connected layers, as conv_init", init_choices());
    v(linear_scale, "linear_scale", "factor on the initial weights of fully connected layers");
    v(dropout_shared, "dropout_shared", "what shares one draw of dropout: nothing, a row of a map, a map",
      Choices{{"element", "row", "channel"}});
  }
};

/// The network that `spec` (networks/notation.h) describes, as a graph:
///   15C5, 300, P2, D0.2, GAP   one node each, named by the place of the token: "0", "1", ...
///   300R, 300R1, 15C5R3   one node; its second connection reads the node itself one step before
///   RB64      "k_first", "k_second": the second layer has two connections, one from the first and the shortcut
///   SEW64     "k_first", "k_second", "k_shortcut" unless the shortcut is an identity, and "k_sum"
/// Each layer or residual unit begins a unit; pooling and dropout belong to the unit before them.  If the first neuron
/// emits a PSP, node "0" filters the input; a neuron with an input_filter() has one before its layer, in its unit,
/// "k_filter".  UsageError that names the token and the shape it met if something does not
/// fit, or if the network does not end in context.output.  Weights are zero until Network::initialise.
std::shared_ptr<Network> build_network(const std::string& spec, const SpecOptions& options,
                                       const NetworkContext& context);

/// The token of a fully connected output layer.  UsageError unless the output is [N].
std::string output_layer(const NetworkContext& context);

}  // namespace spiketrain
