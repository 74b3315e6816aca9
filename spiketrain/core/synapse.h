// Synapse = a map linear in its input.  apply, pull and outer are exactly the three event-driven kernels.
#pragma once
#include "spiketrain/core/registry.h"
#include "spiketrain/core/signal.h"
#include "spiketrain/core/torch.h"

namespace spiketrain {

using Shape = std::vector<int64_t>;  ///< of one sample at one step: [C,H,W] or [N]

struct Synapse : torch::nn::Module {
  /// Shape of the output for inputs of shape `in`; allocates and fixes the weight's shape.  UsageError if
  /// impossible.
  virtual Shape build(const Shape& in) = 0;
  /// Draws the initial weights; the same bits for the same (seed, index).
  virtual void initialise(uint64_t seed, uint64_t index) = 0;
  /// Effective weight, in autograd.
  virtual Tensor weight() = 0;
  /// I[t] = W a[t].  x dense [T,B,*in] -> [T,B,*out]
  virtual Tensor apply(const Signal& x, const Tensor& W) const = 0;
  /// W^T g[t].  g [T,B,*out] -> [T,B,*in]
  virtual Tensor pull(const Tensor& g, const Tensor& W) const = 0;
  /// sum_t g[t] (x) q[t], shaped like W.  q dense.
  virtual Tensor outer(const Tensor& g, const Signal& q) const = 0;
  /// I plus the bias, if there is one.
  virtual Tensor add_bias(const Tensor& I) { return I; }
  /// Multiply-accumulates of one dense apply for one sample and step.
  virtual int64_t macs() const = 0;
  /// The layer in the network notation, e.g. "15C5".
  virtual std::string spec() const = 0;
  /// Bytes that apply, pull and outer hold beside their results at the worst moment, for floats, `rows` = T*B
  /// samples and so many threads: for the cost meter.
  struct Scratch {
    int64_t apply = 0, pull = 0, outer = 0;
  };
  virtual Scratch scratch(int64_t /*rows*/, int /*threads*/) const { return {}; }
  virtual void check() {}
  /// Factor on the initial weights.
  double weight_scale = 1.0;
};

}  // namespace spiketrain
