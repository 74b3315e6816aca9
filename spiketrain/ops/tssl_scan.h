// TSSL-BP's neuron, its PSP filter and its error signal; equations and bits in kernels/tssl_scan/tssl_scan.h.
// Tests: equiv/generic, equiv/tssl_scan, golden/tssl.
#pragma once
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"
#include "spiketrain/ops/channel_map.h"
#include "spiketrain/ops/spike_bits.h"
#include "spiketrain/ops/windows.h"

namespace spiketrain::ops {
using torch::Tensor;

/// The neuron over T steps, by the kernel: I [T,*], and its states m (membrane after reset) and psp, both [*], before
/// the first step, which are replaced by those after the last one.  Writes, all [T,*] and lying as I does: spikes
/// s (uint8) or, in its place, bits; their PSP a, which may be undefined; and the membrane before reset u, which may be undefined or I
/// itself.  `map` is that of I.  A state of zeros may be one zero, expanded.  Returns the number of spikes.
/// UsageError if shapes or types do not fit or has_kernel() does not take I.
int64_t psp_lif_forward(const cpu::TsslParams& p, const Tensor& I, Tensor& m, Tensor& psp, const SpikesOut& s,
                        const Tensor& u, const Tensor& a, const ChannelMap& map = {});

/// Error signal g = dL/dI [T,*] from delta = dL/da [T,*], given the membrane u of the forward, kept or to be found again, and its states before the first
/// step.  warm_up: the layer hardly fires, so that the variants of 2020 use the surrogate.  On any device.
/// g_memory: u, if nobody reads it any more and the error signal shall take its memory.
/// windows: delta is dL/d(sums of windows), for the kernel alone and maps channels last.
Tensor tssl_credit(cpu::TsslVariant variant, const cpu::TsslParams& p, const Membrane& membrane,
                   const Tensor& m, const Tensor& psp, const Tensor& delta, bool warm_up,
                   const Tensor& g_memory = {}, const Windows& windows = {});

/// Adjoint of psp_scan: g_x[r] = 1/tau_s * sum over t >= r of (1 - 1/tau_s)^(t-r) g[t], for g [T,*]; without gradient.
Tensor psp_adjoint(const Tensor& g, double tau_s);

/// The same filter, without gradient, over x [T,*] itself, which may be lost; before [*], undefined: zero.  -> [T,*]
Tensor psp_in_place(const Tensor& x, double tau_s, const Tensor& before);

/// PSP filter a[t] = a[t-1] + (x[t] - a[t-1])/tau_s, differentiable.  x [T,*]; `carried` [*] is the state
/// before the first step (undefined = zeros) and is replaced by the state after the last one, detached.
/// -> [T,*]
Tensor psp_scan(const Tensor& x, double tau_s, Tensor& carried);

}  // namespace spiketrain::ops
