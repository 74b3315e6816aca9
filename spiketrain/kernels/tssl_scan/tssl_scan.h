// TSSL-BP neuron: forward scan, PSP filter and its adjoint, and the error signals of the variants.
// Source: Zhang & Li, "Temporal Spike Sequence Learning via Backpropagation for Deep Spiking Neural
// Networks", NeurIPS 2020, arXiv 2002.10085; operation order and the three rules as in the authors' released
// code (stonezwr/TSSL-BP).
//
// Every tensor is contiguous, time outermost: [T, N] with N = B*C*H*W; a state is [N].  R is float or double.
// Time constants are in steps (> 0), potentials in weight units.  But for the plain loops no function allocates memory.
//
// Errors: shapes and pointers are checked by the caller; UsageError only for a bad ST_ISA.
//
// Bits: independent of the number of threads.  Where no surrogate (exp) enters they are also independent of
// the instruction set and equal to the _ref functions; where it does, the two agree to 4 ulp (2 of them
// exp's).
//
// Deviation: none from the released code, for finite input.  (A spike of infinite u resets to 0 here, to NaN
// there.)  The future after the last step of the window is zero.
//
// Tests: equiv/kernel_cases_test.cpp, equiv/tssl_scan_test.cpp, equiv/tssl_golden_test.cpp.
#pragma once
#include <cstdint>

#include "spiketrain/kernels/current_map.h"
#include "spiketrain/kernels/windows.h"

namespace spiketrain::cpu {

/// Constants of the neuron; all are rounded to R after being computed in double.
struct TsslParams {
  double tau_m = 5.0;      ///< membrane time constant, steps
  double tau_s = 3.0;      ///< synaptic (PSP) time constant, steps
  double threshold = 1.0;  ///< fires if u > threshold (strictly)
};

/// The authors' code at three dates, dec2020 being the latest, or its warm-up branch everywhere.
enum class TsslVariant { dec2020, sep2020, jun2020, surrogate };

/// Forward, per neuron and step, in exactly this order of operations:
///   du = I[t] - m*(1/tau_m);  u[t] = m + du;  s[t] = u[t] > threshold;  m = s[t] ? 0 : u[t]
///   a[t] = a[t-1] + (s[t] - a[t-1])*(1/tau_s)
/// The authors write (s-a)/tau_s; their framework multiplies by the rounded reciprocal, and so does this.
template <class R>
struct TsslForwardArgs {
  int64_t T = 0, N = 0;
  const R* I = nullptr;   ///< [T,N] in: input current
  CurrentMap<R> map;      ///< of I
  const R* m0 = nullptr;  ///< [N] in: membrane after reset before step 0; null = zeros
  const R* a0 = nullptr;  ///< [N] in: PSP before step 0; null = zeros
  uint8_t* s = nullptr;   ///< [T,N] out: spikes 0/1; may be null
  uint64_t* bits =
      nullptr;  ///< [T, words of N bits] out: the same as bits, those behind the last neuron 0; may be null
  R* u = nullptr;   ///< [T,N] out: membrane before reset; may be null, may be I
  R* a = nullptr;   ///< [T,N] out: PSP, the layer's output; may be null
  R* m1 = nullptr;  ///< [N] out: membrane after reset after the last step; may be null, may be m0
  R* a1 = nullptr;  ///< [N] out: PSP after the last step; may be null, may be a0
};
/// Returns the number of spikes.  But for u in place of I, outputs must not overlap each other or I.
template <class R>
int64_t tssl_forward(const TsslParams& p, const TsslForwardArgs<R>& x);

/// PSP filter.  The input filter "acc = acc - acc/tau_s + x; a = acc/tau_s" is the same up to rounding.
///   a[t] = a[t-1] + (x[t] - a[t-1])*(1/tau_s)
template <class R>
struct PspScanArgs {
  int64_t T = 0, N = 0;
  const R* x = nullptr;   ///< [T,N] in
  const R* a0 = nullptr;  ///< [N] in: state before step 0; null = zeros
  R* a = nullptr;         ///< [T,N] out; may be x
  R* a1 = nullptr;        ///< [N] out: state after the last step; may be null, may be a0
};
template <class R>
void psp_scan(double tau_s, const PspScanArgs<R>& x);

/// Exact adjoint of psp_scan.  g_x is A of the variants.
///   B[T-1] = g[T-1] + g_a1;  B[t] = g[t] + (1-1/tau_s)*B[t+1];  g_x[t] = B[t]*(1/tau_s)
///   g_a0 = (1-1/tau_s)*B[0]
template <class R>
struct PspAdjointArgs {
  int64_t T = 0, N = 0;
  const R* g = nullptr;     ///< [T,N] in: gradient wrt a
  const R* g_a1 = nullptr;  ///< [N] in: gradient wrt a1; null = zeros
  R* g_x = nullptr;         ///< [T,N] out: gradient wrt x; may be g
  R* g_a0 = nullptr;        ///< [N] out: gradient wrt a0; may be null, may be g_a1
};
template <class R>
void psp_adjoint(double tau_s, const PspAdjointArgs<R>& x);

/// Error signal g = dL/dI from delta = dL/da, from the last step down:
///   A[t] = delta[t]/tau_s + (1-1/tau_s)*A[t+1] (0 at the end);  du[t] = u[t] - m[t-1]
///   sigma'(u) = f/(0.2*(1+f)^2), f = exp(clamp((threshold-u)/0.2, -8, 8))
///   dec2020:   e = s ? min(8,1/du)*(A + (u/tau_m)*theta) : (1-1/tau_m)*theta;  theta = e (0 at the end);
///              g = a < 1/(4 tau_s) ? A*sigma'(u) : e
///   jun2020:   g = warm_up ? A*sigma'(u) : (s ? min(10,1/du)*A : 0)
///   sep2020:   as jun2020, with delta[t] replaced by delta[t] + s*(u/tau_m)*(1-1/tau_m)^(p-t-1)*delta[p],
///              p the next spike of the neuron after t (no term if there is none)
///   surrogate: g = A*sigma'(u)
/// s and a are not inputs: they follow from u, and a0, with the bits of the forward.
template <class R>
struct TsslCreditArgs {
  int64_t T = 0, N = 0;
  const R* u = nullptr;   ///< [T,N] in: from the forward; null: found again from I
  const R* I = nullptr;   ///< [T,N] in: as given to the forward; read without u
  CurrentMap<R> map;      ///< of I, without u: then T <= CurrentMap::kSteps
  const R* m0 = nullptr;  ///< [N] in: as given to the forward; null = zeros
  const R* a0 =
      nullptr;  ///< [N] in: as given to the forward, so none negative; null = zeros (read by dec2020 only)
  const R* delta = nullptr;  ///< [T,N] in: dL/da; with windows [T, N/sites*pooled]
  Windows windows;           ///< of delta
  R* g = nullptr;            ///< [T,N] out: dL/dI; may be u, and must not overlap any other input
  bool warm_up =
      false;  ///< sep2020, jun2020: the firing rate of the whole layer is <= 0.1 (caller's decision)
};
template <class R>
void tssl_credit(TsslVariant variant, const TsslParams& p, const TsslCreditArgs<R>& x);

/// The same in plain loops, one thread: what the fast ones are tested against.
template <class R>
int64_t tssl_forward_ref(const TsslParams& p, const TsslForwardArgs<R>& x);
template <class R>
void psp_scan_ref(double tau_s, const PspScanArgs<R>& x);
template <class R>
void psp_adjoint_ref(double tau_s, const PspAdjointArgs<R>& x);
template <class R>
void tssl_credit_ref(TsslVariant variant, const TsslParams& p, const TsslCreditArgs<R>& x);

}  // namespace spiketrain::cpu
