// Synapse = a map linear in its input.  apply, pull and outer are exactly the three event-driven kernels.
#pragma once
#include "spiketrain/base/registry.h"
#include "spiketrain/core/signal.h"
#include "spiketrain/ops/event_conv.h"

namespace spiketrain {

/// In what the dense products of spikes with weights, and of errors with weights, are made.  mixed: bfloat16 factors, which
/// spikes are exactly and weights and errors are to 2^-9, added up in float32.  Products of real inputs stay fp32, and so do those of
/// ops/winograd.h, which are as fast.
enum class Precision { fp32, mixed };

struct Synapse : Part, torch::nn::Module {
  /// Shape of the output for inputs of shape `in`; allocates and fixes the weight's shape.  UsageError if
  /// impossible.
  virtual Shape build(const Shape& in) = 0;
  /// Draws the initial weights; the same bits for the same (seed, index).
  virtual void initialise(uint64_t seed, uint64_t index) = 0;
  /// Effective weight, in autograd.
  virtual Tensor weight() = 0;
  /// The weight of a net that does not learn, where it is another.
  virtual Tensor deployed() { return weight(); }
  /// I[t] = W a[t].  x [T,B,*in], dense or spikes -> [T,B,*out]
  virtual Tensor apply(const Signal& x, const Tensor& W) const = 0;
  /// W^T g[t].  g [T,B,*out] contiguous -> [T,B,*in].  W: the weight, or what a Feedback puts in its place.
  virtual Tensor pull(const Tensor& g, const Tensor& W) const = 0;
  /// sum_t g[t] (x) q[t], shaped like W.  g contiguous; q dense or spikes.
  virtual Tensor outer(const Tensor& g, const Signal& q) const = 0;
  /// Whether patches() says what each neuron reads.
  virtual bool has_patches() const { return false; }
  /// What each neuron reads: with W as [F,K] and *out as [F,P] in memory, I[b,f,p] = sum_k W[f,k] y[f, b*P + p, k].
  /// x [B,*in] -> y [F, B*P, K], or [1, B*P, K] if all of F read the same.  UsageError unless has_patches().
  virtual Tensor patches(const Tensor& x) const;
  /// What is added to I [T,B,*out], which it expands to; undefined: nothing.
  virtual Tensor bias() const { return {}; }
  /// Density of spikes below which products with them are event-driven; 0: never.
  virtual double event_limit(ops::EventProduct /*product*/) const { return 0; }
  /// Multiply-accumulates of one dense apply for one sample and step.
  virtual int64_t macs() const = 0;
  /// The layer in the network notation, e.g. "15C5".
  virtual std::string notation() const = 0;
  /// Factor on the initial weights.
  double weight_scale = 1.0;
  Precision precision = Precision::fp32;
};

/// Feedback = the way back through a synapse: dL/dx = pull(g, matrix(W)).  With matrix(W) = W that is the gradient.
struct Feedback : Part, torch::nn::Module {
  /// For a weight of this shape; allocates what the way back has of its own.
  virtual void build(const Tensor& /*W*/) {}
  virtual void initialise(uint64_t /*seed*/, uint64_t /*index*/) {}
  /// Shaped like W.
  virtual Tensor matrix(const Tensor& W) const = 0;
  /// Called with the gradient of each product's weight, for a way back that learns.
  virtual void learn(const Tensor& /*g_W*/) const {}
};

/// Quantizer = what a product sees of a weight that is kept in full precision.
struct Quantizer : Part {
  /// W -> the weight to multiply with, of the same shape, differentiable in W (straight through where the map has
  /// steps).
  virtual Tensor apply(const Tensor& W) const = 0;
};

}  // namespace spiketrain
