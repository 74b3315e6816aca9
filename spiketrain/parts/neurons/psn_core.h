// What the neurons of the PSN family share: no reset, so nothing is fed back in time, and
//   h = (a linear map of the input over time) + bias;   s = H(h), at h = 0 a spike
// The bias is learned and starts at -threshold.  The membrane that a record holds is h: it fires at 0.
// Source: Fang et al. 2023, "Parallel spiking neurons with high efficiency and ability to learn long-term dependencies",
// and SpikingJelly's code.  Page: docs/methods/psn.md.
#pragma once
#include <string>

#include "spiketrain/core/neuron.h"
#include "spiketrain/ops/surrogate.h"

namespace spiketrain {

struct PsnCore {
  double threshold = 1, surrogate_scale = 0;
  std::string surrogate = "atan";
  SurrogateCurve curve;

  template <class V>
  void visit(V& v) {
    v(threshold, "threshold", "initial firing threshold: the learned bias starts at minus that",
      Range{-1e9, 1e9});
    v(surrogate, "surrogate", "derivative of the spike", Choices{surrogate_names()});
    v(surrogate_scale, "surrogate_scale",
      "the surrogate's own number (alpha, slope or width); 0 = its default", Range{0, 1e9});
  }
  void build() { curve = surrogate_curve(surrogate, surrogate_scale, 1); }

  /// 0/1 with the surrogate's derivative.
  Tensor fire(const Tensor& h) const { return spike(h, curve, /*strict=*/false); }
  /// dL/dh of these membranes from dL/ds.
  Tensor back(const Tensor& delta, const Tensor& h) const { return delta * surrogate_derivative(curve, h); }
  /// Writes what a record wants of samples [i, j) with membranes h [n,j-i,*] at these steps; `now`: dh[t]/dI[t].
  void write(Record& record, Steps steps, int64_t i, int64_t j, const Tensor& h, const Tensor& now) const {
    const auto part = [&](const Tensor& array) { return at_steps(array, steps).slice(1, i, j); };
    if (record.s.defined()) part(record.s).copy_(h >= 0);
    if (record.u.defined()) part(record.u).copy_(h);
    if (record.psi.defined()) part(record.psi).copy_(surrogate_derivative(curve, h) * now);
  }
};

}  // namespace spiketrain
