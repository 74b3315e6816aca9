// The spike function with a surrogate derivative, and the closed set of named surrogates.
// x = membrane - threshold.  Derivatives (a = surrogate_scale; frameworks that use the same formula):
//   sigmoid             a*sig(ax)*(1-sig(ax))          4     SpikingJelly; snnTorch (25)
//   atan                a/2 / (1+(pi/2*a*x)^2)         2     SpikingJelly, snnTorch
//   fast_sigmoid        1/(a|x|+1)^2                   25    snnTorch; Norse "super" (100)
//   super_spike         a/(|x|+1)^2                    1     SpikingJelly
//   soft_sign           1/(2a*(1/a+|x|)^2)             2     SpikingJelly
//   nonzero_sign_log_abs 1/(1/a+|x|)                  1     SpikingJelly
//   piecewise_quadratic max(0, a-a^2|x|)               1     SpikingJelly
//   triangle            a*max(0, 1-|x|)                0.3   Norse
//   rect                a where |x| < 1/(2a)           1     SpikingJelly
//   piecewise_exp       a/2*exp(-a|x|)                 1     SpikingJelly
//   erf                 a/sqrt(pi)*exp(-(ax)^2)        2     SpikingJelly
//   heavi_erfc          2/sqrt(pi)*exp(-(ax)^2)        100   Norse
//   tanh                1-tanh(ax)^2                   100   Norse
//   circ                a^3/(a^2+x^2)^(3/2)            100   Norse
//   single_exponential  1/w*exp(-|x|/w), w = a*threshold                     0.5   Sinabs
//   slayer              0.05/r*exp(-|x|/r), r = 100*a*threshold              1     Lava-DL (tau_grad)
//   threshold_triangle  a/th*max(0, 1-|x|/th), th = threshold                0.3   e-prop (Bellec et al. 2020)
//   triangular          -a where x >= 0, else a        1     snnTorch (its code; not a triangle)
//   straight_through    1                              -     snnTorch
//   heaviside           1 where x > 0, else 0          -     snnTorch
//   leaky_spike         1 where x > 0, else a          0.1   snnTorch (documentation of LSO)
//   spike_rate_escape   a*exp(-|x-1|)                  25    snnTorch (beta = 1)
//   sparse_fast_sigmoid 1/(a|x|+1)^2 where x > 1       25    snnTorch (SFS with B = 1)
//   inverse_membrane    a/u where u >= threshold, else 0     1     the code of BPSA (u: the membrane)
// A gate (SurrogateCurve::gate) makes any of them zero where |x| >= gate.
// Deviation: snnTorch's sigmoid overflows to NaN far below the threshold; this one does not.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/kernels/surrogate.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {
using cpu::SurrogateCurve;
using torch::Tensor;

/// All names, in the order of the table above.
std::vector<std::string> surrogate_names();
/// The curve of a named surrogate.  scale = 0: its default.  UsageError on an unknown name or scale < 0.
SurrogateCurve surrogate_curve(const std::string& name, double scale, double threshold);
/// Whether its curve has a width in units of the threshold, which must then be one number.  UsageError on an unknown
/// name.
bool surrogate_reads_threshold(const std::string& name);
/// Derivative at x, any shape, any device, floating point.
Tensor surrogate_derivative(const SurrogateCurve& curve, const Tensor& x);
/// 1 where x > 0 (strict) or x >= 0, else 0; its derivative is the surrogate's.  First derivatives only.
Tensor spike(const Tensor& x, const SurrogateCurve& curve, bool strict);

}  // namespace spiketrain
