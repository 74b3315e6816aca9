// The weights of a connection as a node of a graph: a synapse with its norm.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/core/layer.h"
#include "spiketrain/nir/graph.h"

namespace spiketrain::nir {

NirArray array_of(const Tensor& tensor, NirArray::Type type);

/// False for connections that hand on what they read, by place.
bool has_weights(const Connection& connection);

/// Whether its weights can be multiplied by these gains, one for each neuron of the layer: of a convolution, one for each map.
bool takes_gains(const Connection& connection, const std::vector<double>& gains, const Shape& layer);

class Weights {
 public:
  /// `what` names the connection in messages.  UsageError if NIR has no node for its synapse or norm.  No weights: nothing is done.
  Weights(const Connection& connection, std::string what);

  void multiply_inputs(double factor);
  /// One gain for each neuron of the layer, see takes_gains().
  void multiply_outputs(const std::vector<double>& gains);
  bool fully_connected() const { return kind_ == "linear"; }
  bool has_bias() const { return bias_.defined(); }
  /// For inputs of this shape.
  NirNode node(const Shape& in) const;

 private:
  void fold(const Norm& norm);

  std::string what_, kind_;
  Config config_;
  Tensor weight_, bias_;  ///< double; the bias one-dimensional, undefined: none
};

}  // namespace spiketrain::nir
