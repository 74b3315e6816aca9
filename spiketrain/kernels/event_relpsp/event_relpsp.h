// A layer of neurons with the rectified linear PSP that spike at most once, solved exactly from event to event, and its
// exact adjoint.  One sample; time in any unit, from 0 to `end`.
//   V_j(t) = sum_i w_ij max(t - t_i, 0);  j spikes when V_j reaches the threshold from below, before `end`
// Between two arrivals V is a straight line of slope S_j, the sum of the weights that have arrived, C_j:
//   t_j = (threshold + sum_C w_ij t_i)/S_j;   dt_j/dw_ij = (t_i - t_j)/S_j,  dt_j/dt_i = w_ij/S_j on C_j, 0 elsewhere
// Arrivals at one time enter together.  A spike at exactly the time of an arrival does not have it in C.
// Falling threshold: all arrivals come before `end`, and the layer spikes in a window of its own, from `end` to 2 end, in which
// the threshold falls from its value to 0 in a straight line; its spikes are given from the beginning of that window.
//   t_j = (2 threshold + sum w_ij t_i)/(threshold/end + S_j) - end;  one that is above the threshold at once spikes at 0,
//   a time that no weight changes
// Silent neurons have a membrane at the end of the window, and may have an error there:
//   dV_j/dw_ij = end - t_i,  dV_j/dt_i = -w_ij          a spike at that time with dL/dt/S replaced by -dL/dV
// or are recorded with a late spike, a time that says by how much they missed the threshold.
// Which weight an arrival meets is said by a map: a convolution, of which a fully connected layer is the one of 1x1 on
// maps of one pixel.  Work and memory are those of arrivals and the neurons that they reach, not of steps.
// Sources: Zhang et al., "Rectified linear postsynaptic potential function for backpropagation in deep spiking neural
// networks" (arXiv 2003.11837); falling threshold: Wei et al. 2023.  Deviation: `end`, `late`, and `clip`, which is that of public
// code for the falling threshold.  All arithmetic is in double.
// Tests: equiv/event_relpsp_test.cpp, golden/relpsp_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "spiketrain/kernels/event_lif/event_lif.h"

namespace spiketrain::cpu {

struct RelpspParams {
  double threshold = 1;  ///< > 0; infinity: no neuron spikes
  double end = 1;        ///< spikes that arrive at this time or later are ignored
  bool falling = false;
  /// Bound on 1/S and on t/S, both with time in units of `end` and S in thresholds; 0: none.
  double clip = 0;
  /// > 0: a neuron that stayed silent is recorded with a late spike, no earlier than the window's end, for readouts:
  /// t = end*(1 + late*(1 - V/threshold)), V at the end; 0: silent neurons are not recorded.
  double late = 0;
};

/// Cross-correlation of maps; element (c, y, x) is c*height*width + y*width + x.
struct RelpspMap {
  int64_t channels = 1, height = 1, width = 1, maps = 1, kernel = 1, stride = 1, padding = 0;
  int64_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  int64_t positions() const { return out_height() * out_width(); }
  int64_t inputs() const { return channels * height * width; }
  int64_t neurons() const { return maps * positions(); }
  /// Of one sender's weights: [channels, kernel, kernel, maps].
  int64_t weights() const { return channels * kernel * kernel * maps; }
};

/// The spikes of the layer, by rising time, with the late ones.
struct RelpspRecord {
  std::vector<double> time,
      slope;  ///< slope of the membrane over the threshold; infinity: pinned at the window's begin
  std::vector<int64_t> neuron,
      causal;  ///< of the arrivals that reach it, those before position `causal` are its C
};

/// What an adjoint reads.
struct RelpspErrors {
  const double* time = nullptr;      ///< [spikes] dL/dt; null: none
  const double* membrane = nullptr;  ///< [neurons] dL/dV at the end, of silent neurons; null: none
};

/// Where it adds or writes; null: not wanted.
struct RelpspGradients {
  double* weights = nullptr;  ///< [channels, kernel, kernel, maps], added to
  double* time = nullptr;     ///< [n] dL/d(time of each arrival); those at `end` or later are left alone
};

/// membrane [neurons], unless null: V at the end of the window, the threshold for a neuron that spiked.  UsageError if a
/// membrane is not finite there.
RelpspRecord event_relpsp_forward(const RelpspParams& p, const RelpspMap& map, const double* weights,
                                  const Arrivals& in, double* membrane);
void event_relpsp_backward(const RelpspParams& p, const RelpspMap& map, const double* weights,
                           const Arrivals& in, const RelpspRecord& record, const RelpspErrors& errors,
                           const RelpspGradients& g);

}  // namespace spiketrain::cpu
