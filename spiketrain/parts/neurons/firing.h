// What the spiking neurons of this folder share: threshold, surrogate, and what a spike does to the membrane.
#pragma once
#include <string>

#include "spiketrain/core/neuron.h"
#include "spiketrain/ops/surrogate.h"

namespace spiketrain {

/// What a spike does to the membrane.
enum class Reset {
  soft_decayed,  ///< takes the threshold, or reset_by, off before the leak
  soft,          ///< takes it off after the leak
  hard,          ///< sets v_reset
  hard_input,    ///< sets v_reset one step later, and drops the current of that step
  none
};

struct Firing {
  // Options.
  double threshold = 1, v_reset = 0, reset_by = 0, reset_slope = 0, surrogate_scale = 0, surrogate_gate = 0;
  double own_v_reset = 0;  ///< the neuron's default of v_reset
  bool strict = false, detach_reset = false;
  std::string reset = "soft_decayed", surrogate = "atan";
  // What build() makes of them.
  Reset kind = Reset::none;
  SurrogateCurve curve;
  /// Threshold, what a soft reset takes off, v_reset: scalars, or arrays that broadcast to [B,*].
  Tensor theta, drop, reset_to;

  /// `resets`: the values of `reset` that the neuron has.
  template <class V>
  void visit(V& v, const Choices& resets) {
    v(threshold, "threshold", "firing threshold, unit of the weights", Range{1e-9, 1e9});
    v(strict, "strict", "fire above the threshold only, not at it");
    v(reset, "reset",
      "what a spike does to the membrane: soft_decayed takes the threshold off before the leak, soft after it, "
      "hard sets v_reset",
      resets);
    v(v_reset, "v_reset", "membrane after a spike if reset is hard");
    v(reset_by, "reset_by", "what a soft or soft_decayed reset takes off; 0: the threshold", Range{0, 1e9});
    v(detach_reset, "detach_reset", "no gradient through the spike in the reset");
    v(reset_slope, "reset_slope",
      "derivative of the membrane after the reset by the spike that learning takes instead, with detach_reset",
      Range{-1e6, 1e6});
    v(surrogate, "surrogate", "derivative of the spike", Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale",
      "the surrogate's own number (alpha, slope or width); 0 = its default", Range{0, 1e9});
    v(surrogate_gate, "surrogate_gate",
      "the derivative is 0 where the membrane is so far from the threshold or farther; 0: no gate",
      Range{0, 1e9});
  }
  /// UsageError if the options contradict each other.
  void check() const;
  /// Resolves the options, once; the threshold and v_reset are scalars then.
  void build();
  /// Membrane before the first step: v_reset if the reset is hard, else 0.  UsageError if build() was not called.
  Tensor initial(at::IntArrayRef shape, const torch::TensorOptions& options) const;
  /// True if a spike sets the membrane to v_reset.
  bool sets_value() const { return kind == Reset::hard || kind == Reset::hard_input; }

  /// Spike of a membrane, 0/1 with the surrogate's derivative.
  Tensor fire(const Tensor& u) const { return spike(u - theta, curve, strict); }
  /// Membrane after the spikes s [0/1]: soft_decayed, hard; otherwise u itself.  With detach_reset its derivative by s is
  /// reset_slope.
  Tensor after(const Tensor& u, const Tensor& s) const;
};

}  // namespace spiketrain
