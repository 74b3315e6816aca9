// The synaptic current that cuba_lif and cuba_readout share:
//   i[t] = leak_syn*i[t-1] + gain_syn*I[t];  the membrane of step t sees i[t] (order "new"), or i[t-1] ("old")
// New: snnTorch's Synaptic, and what Norse and snnTorch make of NIR's neurons.  Old: both equations stepped from the same state, as
// Norse's own LIFCell.
#pragma once
#include <string>

#include "spiketrain/parts/neurons/lif_core.h"

namespace spiketrain {

struct CubaCore {
  double leak_syn = 0.5, gain_syn = 1;
  std::string order = "new";
  Tensor leaks, gains;  ///< as LifCore::coefficient() makes them

  template <class V>
  void visit(V& v) {
    v(leak_syn, "leak_syn", "factor by which the synaptic current decays per step; snnTorch's alpha",
      Range{0, 1});
    v(gain_syn, "gain_syn", "factor on the input of the synaptic current", Range{-1e9, 1e9});
    v(order, "order",
      "the membrane potential reads the synaptic current of the same step, or that of the step before",
      Choices{{"new", "old"}});
  }
  /// `core`: of the membrane.
  void build(torch::nn::Module& owner, const LifCore& core, const Shape& shape) {
    leaks = core.coefficient(owner, "leak_syn", leak_syn, shape);
    gains = core.coefficient(owner, "gain_syn", gain_syn, shape);
  }
  /// i[t] from I[t] and i[t-1].
  Tensor filter(const Tensor& I, const Tensor& before) const { return before * leaks + I * gains; }
  /// What the membrane sees.
  const Tensor& seen(const Tensor& now, const Tensor& before) const { return order == "new" ? now : before; }
};

}  // namespace spiketrain
