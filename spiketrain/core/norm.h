// Norm = what is done to the input current between synapse and neuron, inside autograd: normalisation, or a rectifier.
#pragma once
#include "spiketrain/base/registry.h"
#include "spiketrain/core/context.h"

namespace spiketrain {

struct Norm : Part, torch::nn::Module {
  /// For currents of shape `shape` (of one sample); registers parameters and running statistics.
  virtual void build(const Shape& shape) = 0;
  /// I [T,B,*shape] -> same shape.  Statistics are taken over time, batch and space together.  Running statistics
  /// move only if context.mode is train: not in evaluation, nor when a segment is computed again (replay).
  virtual Tensor forward(const Tensor& I, const Context& context) = 0;
  /// It learns no more: forward() is that of evaluation in training, too, and running statistics stay.
  bool frozen = false;
  /// Whether what becomes of a sample depends on the others of the batch.
  virtual bool couples_samples() const { return true; }
};

/// The running statistics of a network's norms, those of neurons included, that move in training.
std::vector<Tensor> moving_statistics(const torch::nn::Module& network);

/// A copy of the running statistics of a network's norms, to undo what a bad update's batch did to them.
class NormStatistics {
 public:
  /// Does nothing if `active` is false.
  NormStatistics(const torch::nn::Module& network, bool active);
  void remember();
  void restore();

 private:
  std::vector<Tensor> statistics_, copies_;
};

}  // namespace spiketrain
