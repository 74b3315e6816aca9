// From tokens to a network: what every builder that speaks the network notation shares.
#pragma once
#include <memory>
#include <string>

#include "spiketrain/core/network.h"

namespace spiketrain {

/// Options that a specification leaves open.
struct SpecOptions {
  std::string padding = "valid", pool = "sum", norm = "none", dropout_shared = "element";
  std::string conv_init = "uniform", linear_init = "kaiming_normal";
  double pool_scale = 1.1, tdbn_scale = 1.0, conv_scale = 1.0, linear_scale = 1.0;
  bool bias = false;

  template <class V>
  void visit(V& v) {
    v(padding, "padding",
      "padding of a convolution without a p suffix: none, or such that the map keeps its size",
      Choices{{"valid", "same"}});
    v(pool, "pool", "kind of pooling of a plain P2", Choices{{"sum", "avg", "max"}});
    v(pool_scale, "pool_scale", "factor on the sum over a window, for sum pooling (TSSL-BP: 1.1)");
    v(norm, "norm", "normalisation of the current in every layer but the last",
      Choices{{"none", "bn", "tdbn"}});
    v(tdbn_scale, "tdbn_scale", "tdbn: factor on the normalised current, alpha times the neuron's threshold",
      Range{0, 1e6});
    v(bias, "bias", "learnable bias in every layer");
    v(conv_init, "conv_init", "initial weights of convolutions", init_names());
    v(conv_scale, "conv_scale", "factor on the initial weights of convolutions");
    v(linear_init, "linear_init", "initial weights of fully connected layers", init_names());
    v(linear_scale, "linear_scale", "factor on the initial weights of fully connected layers");
    v(dropout_shared, "dropout_shared", "what shares one draw of dropout: nothing, a row of a map, a map",
      Choices{{"element", "row", "channel"}});
  }
  static Choices init_names();
};

/// The network that `spec` (networks/notation.h) describes.  Each layer or residual unit begins a block;
/// pooling and dropout belong to the block before them.  If the first neuron emits a PSP, the input is
/// filtered first. UsageError that names the token and the shape it met if something does not fit, or if the
/// network does not end in context.classes outputs.  Weights are zero until Network::initialise.
std::shared_ptr<Network> build_network(const std::string& spec, const SpecOptions& options,
                                       const NetworkContext& context);

}  // namespace spiketrain
