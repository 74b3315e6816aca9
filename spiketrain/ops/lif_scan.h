// LIF neurons over several steps, by the kernel; equations and bits in kernels/lif_scan/lif_scan.h.  Only for
// currents that has_kernel() takes: the definition by steps is the neuron's own.
// Tests: equiv/lif_scan, grad/neuron.
#pragma once
#include "spiketrain/kernels/lif_scan/lif_scan.h"
#include "spiketrain/ops/channel_map.h"
#include "spiketrain/ops/spike_bits.h"
#include "spiketrain/ops/windows.h"

namespace spiketrain::ops {
using torch::Tensor;

/// I [T,*], state [*] before the first step, which is replaced by that after the last one.  Writes, all [T,*] and
/// lying as I does (which may repeat a step, see layout.h): spikes s (uint8) or, in its place, bits; membrane before reset u and psi (types of I; either may be
/// undefined, u may be I itself).  `map` is that of I.  Returns the
/// number of spikes.  UsageError if shapes or types do not fit.
int64_t lif_forward(const cpu::LifParams& p, const Tensor& I, Tensor& state, const SpikesOut& s,
                    const Tensor& u, const Tensor& psi, const ChannelMap& map = {});

struct LifAdjoint {
  Tensor g, g_before;  ///< dL/dI [T,*]; dL/d(state before the first step) [*], if wanted
  double g_leak = 0;   ///< dL/d(leak), if wanted
};
struct LifWants {
  bool leak = false, before = true;
};
/// Exact adjoint of lif_forward, given its membrane (I may be undefined without a map unless wants.leak and p.gain_tie; a map is for a
/// leak that is not learned), the state before the first step, its s (which may be undefined unless p.raised), delta = dL/da [T,*] and g_after = dL/d(state after) [*], undefined: zero.  g_memory: u or, without windows, delta, if nobody
/// reads it any more and the error signal shall take its memory; undefined: new memory.
/// windows: delta is [T,B,C,H/k,W/k], of maps channels last, dL/d(sums of windows).
LifAdjoint lif_adjoint(const cpu::LifParams& p, const Membrane& membrane, const Tensor& before,
                       const Tensor& s, const Tensor& delta, const Tensor& g_after, LifWants wants,
                       const Tensor& g_memory = {}, const Windows& windows = {});

}  // namespace spiketrain::ops
