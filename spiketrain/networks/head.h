// A local head: the readout of one block.  It is made like the output layer, which is the last block's head:
// a fully connected synapse and the readout neuron, so leaky, spiking and plain readouts are one option of
// the recipe, and the recipe's objective is the local loss.  Tests: unit/head_test.cpp.
#pragma once
#include "spiketrain/core/network.h"

namespace spiketrain {

/// The recipe's section [head].
struct HeadOptions {
  std::string weights = "trained", feedback = "transpose";
  double scale = 0;
  int64_t pool_to = 0;

  template <class V>
  void visit(V& v) {
    v(weights, "weights",
      "weights of the heads: trained, or fixed: random uniform, random sign, square waves",
      Choices{{"trained", "uniform", "sign", "square_wave"}});
    v(scale, "scale", "size of fixed weights; 0: 1/sqrt(inputs), 1/inputs for square_wave", Range{0, 1e6});
    v(feedback, "feedback", "error returns through the transpose, or through an independent random matrix",
      Choices{{"transpose", "random"}});
    v(pool_to, "pool_to", "average a block's maps until it has at most so many features; 0: no pooling",
      Range{0, 1e9});
  }
};

/// Pools (if asked to), reads out `classes` values with `neuron`.  `in`: shape of the block's output.
/// UsageError if the maps cannot be pooled to options.pool_to features.
Network::Unit make_head(const Shape& in, int64_t classes, const HeadOptions& options,
                        std::shared_ptr<Neuron> neuron);

}  // namespace spiketrain
