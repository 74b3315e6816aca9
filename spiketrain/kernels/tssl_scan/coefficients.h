// The neuron's constants, computed in double and rounded once, shared by the reference and the vector code.
#pragma once
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

namespace spiketrain::cpu {

template <class R>
struct TsslCoefficients {
  R inv_tau_m, inv_tau_s;  // 1/tau
  R leak_m, leak_s;        // 1 - 1/tau
  R threshold;
  R warm_below;  // dec2020: a below this is replaced by the surrogate
  explicit TsslCoefficients(const TsslParams& p)
      : inv_tau_m(static_cast<R>(1.0 / p.tau_m)),
        inv_tau_s(static_cast<R>(1.0 / p.tau_s)),
        leak_m(static_cast<R>(1.0 - 1.0 / p.tau_m)),
        leak_s(static_cast<R>(1.0 - 1.0 / p.tau_s)),
        threshold(static_cast<R>(p.threshold)),
        warm_below(static_cast<R>(1.0 / (4.0 * p.tau_s))) {}
};

// Surrogate sigma'(u) = f / (width * (1 + f)^2), f = exp(clamp((threshold - u) / width, -limit, limit)).
constexpr double kSurrogateWidth = 0.2;
constexpr double kSurrogateLimit = 8.0;
// Upper bounds of 1/du.
constexpr double kMaxInvDuHead = 8.0;
constexpr double kMaxInvDu2020 = 10.0;

}  // namespace spiketrain::cpu
