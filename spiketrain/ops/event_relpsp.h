// Layers of neurons with the rectified linear PSP and their exact adjoint on a batch of spike times; equations in
// kernels/event_relpsp/event_relpsp.h.  Samples are solved apart, in parallel; weight gradients are summed in fixed chunks of
// them, so that the number of threads cannot change a bit.  CPU only, weights float or double.
// Tests: equiv/event_relpsp_test.cpp, golden/relpsp_test.cpp.
#pragma once
#include "spiketrain/kernels/event_relpsp/event_relpsp.h"
#include "spiketrain/ops/spike_times.h"

namespace spiketrain::ops {

/// What a layer sent, and what its adjoint reads beside that.
struct RelpspSpikes {
  SpikeTimes sent;  ///< late ones, if there are, at `end` and after
  Tensor slope;     ///< [n] double: of each neuron at its spike
  Tensor causal;    ///< [n] int64: number of the sample's arrivals before it
  Tensor membrane;  ///< [B, neurons] double: at the end of the window; the threshold for a neuron that spiked
  int64_t late = 0;  ///< how many of them are late
};

struct RelpspErrors {
  Tensor time;      ///< [n] double: dL/d(time of each spike that was sent); undefined: none
  Tensor membrane;  ///< [B, neurons] double: dL/dV at the end, read for silent neurons; undefined: none
};

struct RelpspCredit {
  Tensor weight;  ///< as W
  Tensor time;    ///< [n] double: dL/d(time of each spike that arrived); undefined unless wanted
};

/// W [maps, channels, kernel, kernel]; [neurons, inputs] is taken for a fully connected layer.  UsageError if shapes, types or devices
/// do not fit, and as the kernel says.  p.end is a time in steps; spikes are of a window of in.steps, so that p.end is that unless
/// no neuron spikes (p.threshold infinite).
RelpspSpikes event_relpsp_forward(const cpu::RelpspParams& p, const cpu::RelpspMap& map, const SpikeTimes& in,
                                  const Tensor& W);
RelpspCredit event_relpsp_backward(const cpu::RelpspParams& p, const cpu::RelpspMap& map,
                                   const SpikeTimes& in, const Tensor& W, const RelpspSpikes& spikes,
                                   const RelpspErrors& errors, bool want_time);

/// Maps [channels, height, width] -> the first spike of each window of side `window`; rows and columns that do not
/// fill one are left out.  kept [m] int64: which spikes of `in` these are; their times are a copy, without gradient.
struct EarliestSpikes {
  SpikeTimes sent;
  Tensor kept;
};
EarliestSpikes earliest_spikes(const SpikeTimes& in, int64_t channels, int64_t height, int64_t width,
                               int64_t window);

}  // namespace spiketrain::ops
