// A layer of leaky integrate-and-fire neurons with exponential synaptic current, solved from event to event in
// continuous time, and its exact adjoint (EventProp).  One sample; time in any unit, from 0 to `end`.
//   between events   tau_m V' = -V + I,  tau_s I' = -I
//   a spike arrives  I += W          V reaches the threshold from below: spike, V <- 0, then I += recurrent weights
// In closed form over a time s:  V(s) = V e^(-s/tau_m) + I k(s),  I(s) = I e^(-s/tau_s),
//   k(s) = (e^(-s/tau_m) - e^(-s/tau_s)) tau_s/(tau_m - tau_s);  (s/tau_m) e^(-s/tau_m) where the two are equal.
// The first crossing cannot be missed: V rises as long as it is below the threshold and I is above it, so there is one
// exactly if V is at the threshold when the next event comes or, if it is earlier, above it when I has fallen to it, at
// tau_s log(I/threshold).  Between now and then the root is single: a quadratic in e^(-s/tau_m) if tau_m = 2 tau_s,
// Newton's method inside the bracket otherwise.
// Order: a spike of the layer comes before one that arrives at the same time; of several neurons the lower index first.
// Adjoint, backwards from lV = lI = 0 at `end`:  tau_m lV' = lV,  tau_s lI' = lI - lV  (derivatives by time), and
//   at a spike k of neuron n, with its current I_k:  lV_n <- (lV_n I_k + d_k + dL/dt_k)/(I_k - threshold)
//   d = sum_m W[m] (lV_m - lI_m) over what the spike feeds;  at one that arrives d is dL/dt
//   dL/dW[m] = -tau_s * sum lI_m over the spikes of the synapse
// What is kept: time, neuron and current of each spike.  A grazing spike, I_k - threshold -> 0, is clipped: the divisor
// is at least min_slope * threshold.
// Source: Wunderlich & Pehle 2021, "Event-based backpropagation can compute exact gradients for spiking neural
// networks".  Deviation: min_slope.  All arithmetic is in double; R is the type of the weights.
// Tests: equiv/event_lif_test.cpp, golden/event_prop_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

namespace spiketrain::cpu {

struct EventLifParams {
  double tau_m = 20, tau_s = 5;
  double threshold = 1;       ///< > 0
  double end = 1;             ///< spikes that arrive at this time or later are ignored
  double min_slope = 1e-3;    ///< least (I - threshold)/threshold that the adjoint divides by; 0: as it is
  int64_t max_spikes = 1000;  ///< of a sample, on average over the neurons of the layer
};

/// Spikes that arrive, by rising time.
struct Arrivals {
  int64_t n = 0;
  const double* time = nullptr;     ///< [n], >= 0
  const int64_t* source = nullptr;  ///< [n], below `inputs`
};

/// One row per sender.
template <class R>
struct EventWeights {
  int64_t neurons = 0;
  const R* in = nullptr;         ///< [inputs, neurons]
  const R* recurrent = nullptr;  ///< [neurons, neurons]; null: none
};

/// The spikes of the layer, by rising time.
struct EventRecord {
  std::vector<double> time, current;
  std::vector<int64_t> neuron;
};

/// Where an adjoint adds or writes; null: not wanted.
struct EventGradients {
  double* in = nullptr;         ///< [inputs, neurons], added to
  double* recurrent = nullptr;  ///< [neurons, neurons], added to
  double* time = nullptr;       ///< [n] dL/d(time of each arrival); those at `end` or later are left alone
};

/// What a current of 1 raises the membrane to, at most.
double event_peak(const EventLifParams& p);

/// UsageError if the neurons spike more than max_spikes times on average or the state is not finite at the end.
template <class R>
EventRecord event_lif_forward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in);

/// g_time [spikes]: dL/d(time of each spike of the record).
template <class R>
void event_lif_backward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in,
                        const EventRecord& record, const double* g_time, const EventGradients& g);

/// The same neurons without threshold, as a readout: a[t] = integral of V over [t, t + 1), for t = 0 .. steps - 1.
/// `end` is `steps`.  Writes a[t*stride + m].
template <class R>
void event_membrane_forward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in,
                            int64_t steps, int64_t stride, R* a);

/// g_a[t*stride + m] = dL/da[t].  Backwards, tau_m lV' = lV + g_a[t] at step t.
template <class R>
void event_membrane_backward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in,
                             int64_t steps, int64_t stride, const R* g_a, const EventGradients& g);

}  // namespace spiketrain::cpu
