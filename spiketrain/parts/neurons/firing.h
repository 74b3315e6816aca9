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
    v(strict, "strict", "a neuron fires if u > threshold; otherwise if u >= threshold");
    v(reset, "reset",
      "membrane potential after a spike: soft_decayed: minus the threshold, then the leak; soft: the leak, then minus the threshold; hard: v_reset; none: unchanged",
      resets);
    v(v_reset, "v_reset", "membrane potential after a spike, with reset = \"hard\"");
    v(reset_by, "reset_by",
      "amount that a soft or soft_decayed reset subtracts from the membrane potential; 0: the threshold",
      Range{0, 1e9});
    v(detach_reset, "detach_reset",
      "stop the gradient through the spike in the reset (the reset itself stays)");
    v(reset_slope, "reset_slope",
      "with detach_reset: the backward pass takes this number as the derivative of the membrane potential after the reset with respect to the spike (BPTA: 0.2); 0: no gradient",
      Range{-1e6, 1e6});
    v(surrogate, "surrogate", "surrogate derivative of the spike, used in the backward pass",
      Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale",
      "steepness or width of the surrogate: the number A of the table of surrogates (docs/conventions.md); 0: its default",
      Range{0, 1e9});
    v(surrogate_gate, "surrogate_gate",
      "the surrogate is 0 where the membrane potential is at least this far from the threshold; 0: nowhere",
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
