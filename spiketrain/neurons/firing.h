// What the spiking neurons of this folder share: threshold, surrogate, and what a spike does to the membrane.
#pragma once
#include <string>

#include "spiketrain/core/registry.h"
#include "spiketrain/core/surrogate.h"

namespace spiketrain {

struct Firing {
  double threshold = 1, v_reset = 0, surrogate_scale = 0;
  double own_v_reset = 0;  ///< the neuron's default of v_reset
  bool strict = false, detach_reset = false;
  std::string reset = "soft_decayed", surrogate = "atan";

  /// `resets`: the values of `reset` that the neuron has.
  template <class V>
  void visit(V& v, const Choices& resets) {
    v(threshold, "threshold", "firing threshold, unit of the weights", Range{1e-9, 1e9});
    v(strict, "strict", "fire above the threshold only, not at it");
    v(reset, "reset",
      "what a spike does to the membrane: soft_decayed takes the threshold off before the leak, soft after "
      "it, "
      "hard sets v_reset",
      resets);
    v(v_reset, "v_reset", "membrane after a spike if reset is hard");
    v(detach_reset, "detach_reset", "no gradient through the spike in the reset");
    v(surrogate, "surrogate", "derivative of the spike", Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale",
      "the surrogate's own number (alpha, slope or width); 0 = its default", Range{0, 1e9});
  }
  /// UsageError if the options contradict each other.
  void check() const;

  /// Spike of a membrane, 0/1 with the surrogate's derivative.
  Tensor fire(const Tensor& u) const;
  /// Spike of y = membrane - threshold.
  Tensor fire_at(const Tensor& y) const { return spike(y, curve(), strict); }
  /// Membrane after the spikes s [0/1]: soft_decayed, hard; otherwise u itself.  Detached if detach_reset.
  Tensor after(const Tensor& u, const Tensor& s) const;
  SurrogateCurve curve() const { return surrogate_curve(surrogate, surrogate_scale, threshold); }
};

}  // namespace spiketrain
