// The neuron's constants, rounded once, shared by the reference and the vector code.
#pragma once
#include "spiketrain/kernels/lif_scan/lif_scan.h"

namespace spiketrain::cpu {

template <class R>
struct LifCoefficients {
  R leak, gain, rest, threshold, drop, v_reset, reset_slope, v_rest, gain_tie;
  bool strict, detach_reset, raised, delayed;
  LifReset reset;
  SurrogateCurve surrogate, psi;  // psi: the same with gain in it
  explicit LifCoefficients(const LifParams& p)
      : leak(static_cast<R>(p.leak)),
        gain(static_cast<R>(p.gain)),
        rest(static_cast<R>(p.rest)),
        threshold(static_cast<R>(p.threshold)),
        drop(static_cast<R>(p.reset_by > 0 ? p.reset_by : p.threshold)),
        v_reset(static_cast<R>(p.v_reset)),
        reset_slope(static_cast<R>(p.reset_slope)),
        v_rest(static_cast<R>(p.v_rest)),
        gain_tie(static_cast<R>(p.gain_tie)),
        strict(p.strict),
        detach_reset(p.detach_reset),
        raised(p.raised),
        delayed(p.reset == LifReset::soft || (p.delayed && p.reset != LifReset::none)),
        reset(p.reset),
        surrogate(p.surrogate),
        psi(p.surrogate) {
    psi.height *= p.gain;
  }
};

}  // namespace spiketrain::cpu
