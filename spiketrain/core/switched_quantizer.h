// A quantizer that is on or off, each layer for itself, so that a training may choose where it acts.
#pragma once
#include <string>

#include "spiketrain/core/synapse.h"

namespace spiketrain {

/// Off, apply() gives the weight itself.  Whether it is on is a buffer of the layer, "NODE.quantizer.on": files of weights
/// hold it, and a network that is loaded has the choice it was saved with.  On from the start.
struct SwitchedQuantizer : Quantizer, torch::nn::Module {
  SwitchedQuantizer() { on_ = register_buffer("on", torch::ones({1}, torch::kBool)); }
  Tensor apply(const Tensor& W) const final { return is_on() ? quantize(W) : W; }
  bool is_on() const { return on_.item<bool>(); }
  void turn(bool on) const { Tensor(on_).fill_(on ? 1 : 0); }
  /// What apply() gives while it is on.  UsageError for a weight of a shape that it cannot quantize.
  virtual Tensor quantize(const Tensor& W) const = 0;
  /// Bits that quantize(W) takes when it is stored.
  virtual int64_t stored_bits(const Tensor& W) const = 0;
  /// Whether the gradient of W is that of quantize(W), unchanged.
  virtual bool passes_gradient() const = 0;

 private:
  Tensor on_;
};

/// Whether a tensor of this name says that a quantizer is on: no weight, but a choice of the recipe.
inline bool is_quantizer_switch(const std::string& name) {
  const size_t at = name.find(".quantizer");
  return at != std::string::npos && name.size() > 3 && name.compare(name.size() - 3, 3, ".on") == 0;
}

}  // namespace spiketrain
