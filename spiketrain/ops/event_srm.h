// Layers of spike-response neurons and the exact gradient of their spike times on a batch; equations in
// kernels/event_srm/event_srm.h.  As ops/event_lif.h: samples apart, in parallel, sums in fixed chunks; CPU only.
// Tests: equiv/event_srm_test.cpp, golden/multispike_test.cpp.
#pragma once
#include "spiketrain/kernels/event_srm/event_srm.h"
#include "spiketrain/ops/event_lif.h"

namespace spiketrain::ops {

/// What a layer sent, and what its gradient reads beside that.
struct SrmSpikes {
  SpikeTimes sent;
  Tensor slope;  ///< [n] double: du/dt of each neuron at its spike
};

/// W [neurons, inputs].  UsageError if shapes, types or devices do not fit, and as the kernel says.  p.end is set to the
/// steps of `in`.
SrmSpikes event_srm_forward(cpu::EventSrmParams p, const SpikeTimes& in, const Tensor& W);
/// g_time [n]: dL/d(time of each spike that was sent).  EventCredit::recurrent is undefined.
EventCredit event_srm_backward(cpu::EventSrmParams p, const SpikeTimes& in, const Tensor& W,
                               const SrmSpikes& spikes, const Tensor& g_time, bool want_time);

}  // namespace spiketrain::ops
