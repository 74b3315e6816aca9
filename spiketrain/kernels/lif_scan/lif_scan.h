// Leaky integrate-and-fire: forward scan over a window and its exact adjoint.
// Every tensor is contiguous, time outermost: [T, N] with N = B*C*H*W; a state is [N].  R is float or double.
// Potentials are in weight units, leak is per step.
//
// z is the carried state.  Not delayed: z is the membrane after reset.  Delayed: z is the membrane before
// reset and the reset is applied in the next step.  In exactly this order of operations, with F(y) = y > 0 if
// strict, y >= 0 otherwise:
//   b    = delayed ? reset(z, F(z - threshold)) : z        (soft: b = z)
//   u[t] = (leak*b [- drop*F(z - threshold) if soft] + gain*I[t]) + rest
//   y[t] = u[t] - threshold        (raised: (u[t] - threshold*F(z - threshold)) - threshold)
//   s[t] = F(y[t]);   psi[t] = gain * surrogate'(y[t])
//   z    = delayed ? u[t] : reset(u[t], s[t])
// with reset(u, s): soft_decayed u - drop*s; hard s ? v_reset : u; none, soft u; drop: reset_by, or the threshold.
//
// Errors: shapes and pointers are checked by the caller; the host functions throw UsageError only for a bad
// ST_ISA.  No temporaries beyond a tile's rows; time and memory O(T*N).  The forward has the same bits for
// every instruction set and equals lif_forward_ref (no fused multiply-add); the adjoint too, unless the
// surrogate needs exp (logistic, laplace, gauss), whose implementations differ by a few ulp.  Results do not
// depend on the number of threads.  Two windows with the state carried, and g_in of the second given to the
// first as g_out, have the bits of one (g_leak excepted: it is two sums then).  Deviation: none.
// Tests: equiv/kernel_cases_test.cpp, equiv/lif_scan_test.cpp.
#pragma once
#include <cstdint>

#include "spiketrain/kernels/current_map.h"
#include "spiketrain/kernels/surrogate.h"
#include "spiketrain/kernels/windows.h"

namespace spiketrain::cpu {

enum class LifReset { soft_decayed, soft, hard, none };

/// Constants; all are rounded to R.
struct LifParams {
  double leak = 0.5;       ///< membrane decay per step
  double gain = 1.0;       ///< weight of the input current
  double rest = 0.0;       ///< added every step: (1 - leak) * resting potential
  double threshold = 1.0;  ///< firing threshold
  double v_reset = 0.0;    ///< membrane after a spike if reset is hard
  LifReset reset = LifReset::soft_decayed;
  bool delayed = false;   ///< reset in the next step; always true for soft, ignored for none
  bool strict = false;    ///< fires at u > threshold instead of u >= threshold
  double reset_by = 0.0;  ///< what a soft or soft_decayed reset takes off; 0: the threshold
  bool detach_reset =
      false;                 ///< adjoint: reset_slope in place of the gradient through the spike in the reset
  double reset_slope = 0.0;  ///< d(membrane after reset)/d(spike) that the adjoint takes if detach_reset
  bool raised = false;       ///< a state at or above threshold raises the threshold of the next step to twice
                             ///< itself, without gradient; only if soft_decayed and not delayed
  SurrogateCurve surrogate;
  // Read by the adjoint for g_leak only.
  double v_rest = 0.0;    ///< resting potential
  double gain_tie = 0.0;  ///< gain = gain_tie * (1 - leak), or 0 if gain does not depend on leak
};

template <class R>
struct LifForwardArgs {
  int64_t T = 0, N = 0;
  const R* I = nullptr;   ///< [T,N] in: input current
  bool constant = false;  ///< I is [N], the same at every step
  CurrentMap<R> map;      ///< of I
  const R* z0 = nullptr;  ///< [N] in: state before step 0; null = zeros
  uint8_t* s = nullptr;   ///< [T,N] out: spikes 0/1; may be null
  uint64_t* bits =
      nullptr;  ///< [T, words of N bits] out: the same as bits, those behind the last neuron 0; may be null
  R* a = nullptr;    ///< [T,N] out: spikes as 0 or 1; may be null
  R* u = nullptr;    ///< [T,N] out: membrane before reset; may be null, may be I
  R* psi = nullptr;  ///< [T,N] out: da[t]/dI[t] through the surrogate; may be null
  R* z1 = nullptr;   ///< [N] out: state after the last step; may be null, may be z0
};
/// Returns the number of spikes.  But for that, outputs must not overlap each other or I.
template <class R>
int64_t lif_forward(const LifParams& p, const LifForwardArgs<R>& x);

/// With delta = dL/da, from the last step down, h = dL/du[t+1], G = dL/dz[t] (= g_out after the last step,
/// leak*h before; soft: h):
///   dL/du[t] = delta*surrogate'(y) + (direct*G + surrogate'(y)*through*G);  g[t] = gain * dL/du[t]
///   direct, through = d reset/du, d reset/ds (soft: leak, -drop); through = reset_slope if detach_reset
template <class R>
struct LifAdjointArgs {
  int64_t T = 0, N = 0;
  const R* u = nullptr;  ///< [T,N] in: from the forward; null: found again from I, as given to the forward
  CurrentMap<R> map;     ///< of I, if u is null: then T <= CurrentMap::kSteps, and s must be null
  const uint8_t* s = nullptr;  ///< [T,N] in: from the forward; null: found again from u, unless raised
  const R* z0 = nullptr;       ///< [N] in: as given to the forward; null = zeros
  const R* delta = nullptr;    ///< [T,N] in: dL/da; with windows [T, N/sites*pooled]
  Windows windows;             ///< of delta
  const R* g_out = nullptr;    ///< [N] in: dL/dz1; null = zeros
  const R* I =
      nullptr;     ///< [T,N] in: as given to the forward; read without u, or if want_leak and gain_tie != 0
  R* g = nullptr;  ///< [T,N] out: dL/dI; may be u, and without windows delta
  R* g_in = nullptr;       ///< [N] out: dL/dz0; may be null, may be g_out
  bool want_leak = false;  ///< compute the return value
};
/// Returns dL/dleak, summed over steps and neurons (0 if not wanted): per neuron in R from the last step
/// down, then over neurons in double, in fixed chunks.
template <class R>
double lif_adjoint(const LifParams& p, const LifAdjointArgs<R>& x);

/// The same in plain loops, one thread: what the fast ones are tested against.
template <class R>
int64_t lif_forward_ref(const LifParams& p, const LifForwardArgs<R>& x);
template <class R>
double lif_adjoint_ref(const LifParams& p, const LifAdjointArgs<R>& x);

}  // namespace spiketrain::cpu
