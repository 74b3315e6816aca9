// Norm = what is done to the input current between synapse and neuron, inside autograd: normalisation, or a rectifier.
#pragma once
#include <functional>
#include <stdexcept>

#include "spiketrain/base/registry.h"
#include "spiketrain/core/context.h"
#include "spiketrain/ops/channel_map.h"

namespace spiketrain {

/// What a norm did to the currents of a segment, outside autograd.
struct Normed {
  Tensor y;             ///< [T,B,*], memory of its own; undefined: `map` of I
  ops::ChannelMap map;  ///< undefined: y
  /// dL/dy -> dL/dI; adds the gradients of the norm's parameters to them.
  std::function<Tensor(Tensor g)> back;
};

struct Norm : Part, torch::nn::Module {
  /// For currents of shape `shape` (of one sample); registers parameters and running statistics.
  virtual void build(const Shape& shape) = 0;
  /// I [T,B,*shape] -> same shape.  Statistics are taken over time, batch and space together.  Running statistics
  /// move only if context.mode is train: not in evaluation, nor when a segment is computed again (replay).
  virtual Tensor forward(const Tensor& I, const Context& context) = 0;
  /// Whether there are forward_once(), and pass() for layers on a tape.
  virtual bool taped() const { return false; }
  /// forward() of one of `repeats` equal steps I [1,B,*] -> same shape, with the statistics of them all.
  virtual Tensor forward_once(const Tensor& /*I*/, int64_t /*repeats*/, const Context& /*context*/) {
    throw std::logic_error("norm: forward_once() without taped()");
  }
  /// The same as forward(), or for repeats > 1 forward_once(), with its way back, in training.  as_map: a map is welcome in
  /// place of y.
  virtual Normed pass(const Tensor& /*I*/, int64_t /*repeats*/, bool /*as_map*/, const Context& /*context*/) {
    throw std::logic_error("norm: pass() without taped()");
  }
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
