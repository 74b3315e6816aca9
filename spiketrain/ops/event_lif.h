// Event-driven layers and their exact adjoint on a batch of spike times; equations in kernels/event_lif/event_lif.h.
// Samples are solved apart, in parallel; weight gradients are summed in fixed chunks of them, so that the number of
// threads cannot change a bit.  CPU only, weights float or double.
// Tests: equiv/event_lif_test.cpp, golden/event_prop_test.cpp.
#pragma once
#include "spiketrain/kernels/event_lif/event_lif.h"
#include "spiketrain/ops/spike_times.h"

namespace spiketrain::ops {

/// What a layer sent, and what its adjoint reads beside that.
struct EventSpikes {
  SpikeTimes sent;
  Tensor current;  ///< [n] double: of each neuron at its spike
};

struct EventCredit {
  Tensor in, recurrent;  ///< dL/dW [neurons, inputs], dL/dV [neurons, neurons], types of the weights
  Tensor time;           ///< [n] double: dL/d(time of each spike that arrived); undefined unless wanted
};

/// W [neurons, inputs]; V [neurons, neurons] from the layer to itself, may be undefined.  UsageError if shapes, types or
/// devices do not fit, and as the kernel says.  p.end is set to the steps of `in`.
EventSpikes event_lif_forward(cpu::EventLifParams p, const SpikeTimes& in, const Tensor& W, const Tensor& V);
/// g_time [n]: dL/d(time of each spike that was sent).
EventCredit event_lif_backward(cpu::EventLifParams p, const SpikeTimes& in, const Tensor& W, const Tensor& V,
                               const EventSpikes& spikes, const Tensor& g_time, bool want_time);

/// a [T,B,neurons]: integral of the membrane of neurons without threshold over each step.
Tensor event_membrane_forward(cpu::EventLifParams p, const SpikeTimes& in, const Tensor& W);
/// g_a = dL/da.
EventCredit event_membrane_backward(cpu::EventLifParams p, const SpikeTimes& in, const Tensor& W,
                                    const Tensor& g_a, bool want_time);

}  // namespace spiketrain::ops
