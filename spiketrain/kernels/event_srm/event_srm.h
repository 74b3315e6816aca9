// A layer of spike-response neurons in continuous time, each of which may spike several times, solved from event to event,
// and the exact gradient of all its spike times.  One sample; time in any unit, from 0 to `end`.
//   u_m(t) = sum over arrivals W[m] eps(t - t_i)  +  sum over its own spikes t_g < t of eta(t - t_g)
//   eps(s) = (s/tau_s) e^(1 - s/tau_s),   eta(s) = -weight_refractory e^(-s/tau_refractory),   both 0 for s <= 0
//   u_m reaches the threshold from below: spike
// Gradient.  At spike f of a neuron u(t_f) = threshold, so for whatever t_f depends on
//   dt_f/dp = -(du/dp + sum_{g<f} (-eta'(t_f - t_g)) dt_g/dp)/u'(t_f),   eta'(s) = (weight_refractory/tau_refractory) e^(-s/tau_refractory)
// The sum over g is how earlier spikes act on later ones through refractoriness; feedback = false leaves it out.  Backwards:
//   G_f = dL/dt_f - sum_{h>f} mu_h eta'(t_h - t_f),   mu_f = -G_f/u'(t_f)
//   dL/dW[m] = sum_f mu_f eps(t_f - t_i),   dL/dt_i = -sum_m W[m] sum_f mu_f eps'(t_f - t_i)
// All three sums decay exponentially, so that the way back costs one multiply-add for each neuron and event.
// How crossings are found: crossing.h.  What is kept: time, neuron and u' of each spike.  A grazing spike, u' -> 0, is clipped:
// the divisor is at least min_slope * threshold/tau_s.
// Order of simultaneous spikes, and neurons: as in event_lif.h; neurons of the layer do not see each other.
// Source: our own; the equations are those of SpikeProp (Bohte, Kok, La Poutre 2002) for several spikes per neuron.
// Deviation: min_slope.  All arithmetic is in double; R is the type of the weights.
// Tests: equiv/event_srm_test.cpp, grad/multispike_test.cpp, golden/multispike_test.cpp.
#pragma once
#include "spiketrain/kernels/event_lif/event_lif.h"

namespace spiketrain::cpu {

struct EventSrmParams {
  double tau_s = 5, tau_refractory = 10;
  double weight_refractory = 1;  ///< > 0
  double threshold = 1;          ///< > 0
  double end = 1;                ///< spikes that arrive at this time or later are ignored
  bool feedback = true;
  double min_slope = 1e-3;    ///< least u' * tau_s/threshold that the gradient divides by; 0: as it is
  int64_t max_spikes = 1000;  ///< of a sample, on average over the neurons of the layer
};

/// The spikes of the layer, by rising time.
struct SrmRecord {
  std::vector<double> time, slope;
  std::vector<int64_t> neuron;
};

/// w.recurrent is null.  UsageError if the neurons spike more than max_spikes times on average or the state is not finite
/// at the end.
template <class R>
SrmRecord event_srm_forward(const EventSrmParams& p, const EventWeights<R>& w, const Arrivals& in);

/// g_time [spikes]: dL/d(time of each spike of the record).
template <class R>
void event_srm_backward(const EventSrmParams& p, const EventWeights<R>& w, const Arrivals& in,
                        const SrmRecord& record, const double* g_time, const EventGradients& g);

}  // namespace spiketrain::cpu
