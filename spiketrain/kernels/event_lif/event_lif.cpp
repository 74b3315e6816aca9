#include "spiketrain/kernels/event_lif/event_lif.h"

#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/kernels/event_lif/dynamics.h"

namespace spiketrain::cpu {
namespace {

using Factors = EventDynamics::Factors;

/// Number of arrivals before the end.
int64_t arrivals_before(const Arrivals& in, double end) {
  return std::lower_bound(in.time, in.time + in.n, end) - in.time;
}

/// Membranes and currents of the layer at one time.
struct State {
  explicit State(int64_t neurons) : V(static_cast<size_t>(neurons)), I(V.size()) {}

  void advance(const Factors& f) {
    for (size_t m = 0; m < V.size(); ++m) {
      V[m] = V[m] * f.m + I[m] * f.k;
      I[m] *= f.s;
    }
  }
  template <class R>
  void jump(const R* weights) {
    for (size_t m = 0; m < I.size(); ++m) I[m] += static_cast<double>(weights[m]);
  }
  void check_finite() const {
    bool finite = true;
    for (size_t m = 0; m < V.size(); ++m) finite = finite && std::isfinite(V[m] + I[m]);
    ST_CHECK(finite,
             "event layer: a membrane is not finite; its weights, or the times of its spikes, are not");
  }

  std::vector<double> V, I;
};

template <class R>
class Forward {
 public:
  Forward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in)
      : p_(p), w_(w), in_(in), dynamics_(p), state_(w.neurons) {}

  EventRecord run() {
    const int64_t n = arrivals_before(in_, p_.end);
    int64_t k = 0;
    for (;;) {
      const double until = k < n ? in_.time[k] : p_.end;
      look_ahead(until);
      spike(until);
      if (k == n) break;
      advance(until);
      for (; k < n && in_.time[k] == until; ++k) state_.jump(w_.in + in_.source[k] * w_.neurons);
      arrived_ = until;
    }
    advance(p_.end);
    state_.check_finite();
    return std::move(record_);
  }

 private:
  /// Every spike up to `until`, when the next one arrives.
  void spike(double until) {
    while (!next_.empty()) {
      const auto first = std::min_element(next_.begin(), next_.end());
      const auto [time, n] = *first;
      *first = next_.back();
      next_.pop_back();
      advance(time);
      const auto at = static_cast<size_t>(n);
      record_.time.push_back(time);
      record_.neuron.push_back(n);
      record_.current.push_back(state_.I[at]);
      const auto spikes = static_cast<int64_t>(record_.time.size());
      ST_CHECK(
          spikes / w_.neurons < p_.max_spikes, "event layer: more than ", p_.max_spikes,
          " spikes per neuron in one sample; lower its weights or the learning rate, or raise max_spikes");
      state_.V[at] = 0;
      if (w_.recurrent) {
        state_.jump(w_.recurrent + n * w_.neurons);
        look_ahead(until);
      } else {
        look_ahead(n, n + 1, until);
      }
    }
  }

  /// Which neurons spike next, if nothing arrives before `until`.
  void look_ahead(double until) {
    next_.clear();
    look_ahead(0, w_.neurons, until);
  }
  void look_ahead(int64_t begin, int64_t end, double until) {
    const EventDynamics::Gap gap = dynamics_.gap(until - now_);
    for (int64_t m = begin; m < end; ++m) {
      const auto at = static_cast<size_t>(m);
      const double wait = dynamics_.crossing(state_.V[at], state_.I[at], gap);
      if (!(wait <= gap.time)) continue;
      // What is caused by an arrival comes after it: the adjoint undoes them by time.
      const double after = std::max(now_ + wait, std::nextafter(arrived_, p_.end));
      next_.emplace_back(std::min(after, until), m);
    }
  }

  void advance(double time) {
    if (time > now_) state_.advance(dynamics_.over(time - now_));
    now_ = time;
  }

  const EventLifParams& p_;
  const EventWeights<R>& w_;
  const Arrivals& in_;
  EventDynamics dynamics_;
  State state_;
  std::vector<std::pair<double, int64_t>> next_;  ///< spikes before the next arrival: time and neuron
  double now_ = 0, arrived_ = -1;
  EventRecord record_;
};

/// lV and lI of the layer, on their way back.
class Adjoint {
 public:
  Adjoint(const EventLifParams& p, int64_t neurons)
      : p_(p), dynamics_(p), lV_(static_cast<size_t>(neurons)), lI_(lV_.size()), time_(p.end) {}

  void back_to(double time) {
    const Factors f = factors(time);
    for (size_t m = 0; m < lV_.size(); ++m) {
      lI_[m] = lI_[m] * f.s + lV_[m] * f.k;
      lV_[m] *= f.m;
    }
  }
  /// The same while dL/dV is g.
  template <class R>
  void back_to(double time, const R* g) {
    const Factors f = factors(time);
    for (size_t m = 0; m < lV_.size(); ++m) {
      const auto source = static_cast<double>(g[m]);
      lI_[m] = lI_[m] * f.s + (lV_[m] + source) * f.k - source * (1 - f.s);
      lV_[m] = (lV_[m] + source) * f.m - source;
    }
  }
  /// dL/d(time of a spike) through the synapses of its sender.
  template <class R>
  double pull(const R* weights) const {
    double sum = 0;
    for (size_t m = 0; m < lV_.size(); ++m) sum += static_cast<double>(weights[m]) * (lV_[m] - lI_[m]);
    return sum;
  }
  void add_weight_gradient(double* row) const {
    for (size_t m = 0; m < lI_.size(); ++m) row[m] -= p_.tau_s * lI_[m];
  }
  /// Through the reset of neuron n.
  void spike(int64_t n, double current, double g_time) {
    const double slope = std::max(current - p_.threshold, p_.min_slope * p_.threshold);
    double& lV = lV_[static_cast<size_t>(n)];
    lV = (lV * current + g_time) / slope;
  }

 private:
  /// tau_m and tau_s change places in k.
  Factors factors(double time) {
    Factors f = dynamics_.over(time_ - time);
    f.k *= p_.tau_m / p_.tau_s;
    time_ = time;
    return f;
  }

  const EventLifParams& p_;
  EventDynamics dynamics_;
  std::vector<double> lV_, lI_;
  double time_;
};

/// The way back through arrival i.
template <class R>
void undo_arrival(const Adjoint& adjoint, const EventWeights<R>& w, const Arrivals& in, int64_t i,
                  const EventGradients& g) {
  const int64_t row = in.source[i] * w.neurons;
  if (g.time) g.time[i] = adjoint.pull(w.in + row);
  if (g.in) adjoint.add_weight_gradient(g.in + row);
}

}  // namespace

double event_peak(const EventLifParams& p) { return EventDynamics(p).peak(); }

template <class R>
EventRecord event_lif_forward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in) {
  return Forward<R>(p, w, in).run();
}

template <class R>
void event_lif_backward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in,
                        const EventRecord& record, const double* g_time, const EventGradients& g) {
  Adjoint adjoint(p, w.neurons);
  int64_t i = arrivals_before(in, p.end) - 1;
  auto k = static_cast<int64_t>(record.time.size()) - 1;
  while (i >= 0 || k >= 0) {
    const auto at = static_cast<size_t>(std::max<int64_t>(k, 0));
    if (k < 0 || (i >= 0 && in.time[i] >= record.time[at])) {
      adjoint.back_to(in.time[i]);
      undo_arrival(adjoint, w, in, i--, g);
      continue;
    }
    adjoint.back_to(record.time[at]);
    double g_spike = g_time[at];
    if (w.recurrent) {
      const int64_t row = record.neuron[at] * w.neurons;
      g_spike += adjoint.pull(w.recurrent + row);
      if (g.recurrent) adjoint.add_weight_gradient(g.recurrent + row);
    }
    adjoint.spike(record.neuron[at], record.current[at], g_spike);
    --k;
  }
}

template <class R>
void event_membrane_forward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in,
                            int64_t steps, int64_t stride, R* a) {
  const EventDynamics dynamics(p);
  State state(w.neurons);
  std::vector<double> begun(state.V.size());  // tau_m V + tau_s I falls by the integral of V
  const int64_t n = arrivals_before(in, p.end);
  double now = 0;
  int64_t k = 0;
  for (int64_t t = 0; t < steps; ++t) {
    for (size_t m = 0; m < begun.size(); ++m) begun[m] = p.tau_m * state.V[m] + p.tau_s * state.I[m];
    const auto step_end = static_cast<double>(t + 1);
    for (; k < n && in.time[k] < step_end; ++k) {
      if (in.time[k] > now) state.advance(dynamics.over(in.time[k] - now));
      now = in.time[k];
      const R* row = w.in + in.source[k] * w.neurons;
      state.jump(row);
      for (size_t m = 0; m < begun.size(); ++m) begun[m] += p.tau_s * static_cast<double>(row[m]);
    }
    state.advance(dynamics.over(step_end - now));
    now = step_end;
    for (size_t m = 0; m < begun.size(); ++m)
      a[t * stride + static_cast<int64_t>(m)] =
          static_cast<R>(begun[m] - (p.tau_m * state.V[m] + p.tau_s * state.I[m]));
  }
  state.check_finite();
}

template <class R>
void event_membrane_backward(const EventLifParams& p, const EventWeights<R>& w, const Arrivals& in,
                             int64_t steps, int64_t stride, const R* g_a, const EventGradients& g) {
  Adjoint adjoint(p, w.neurons);
  int64_t i = arrivals_before(in, p.end) - 1;
  for (int64_t t = steps - 1; t >= 0; --t) {
    const auto step_begin = static_cast<double>(t);
    for (; i >= 0 && in.time[i] >= step_begin; --i) {
      adjoint.back_to(in.time[i], g_a + t * stride);
      undo_arrival(adjoint, w, in, i, g);
    }
    adjoint.back_to(step_begin, g_a + t * stride);
  }
}

#define ST_EVENT_LIF(R)                                                                                      \
  template EventRecord event_lif_forward<R>(const EventLifParams&, const EventWeights<R>&, const Arrivals&); \
  template void event_lif_backward<R>(const EventLifParams&, const EventWeights<R>&, const Arrivals&,        \
                                      const EventRecord&, const double*, const EventGradients&);             \
  template void event_membrane_forward<R>(const EventLifParams&, const EventWeights<R>&, const Arrivals&,    \
                                          int64_t, int64_t, R*);                                             \
  template void event_membrane_backward<R>(const EventLifParams&, const EventWeights<R>&, const Arrivals&,   \
                                           int64_t, int64_t, const R*, const EventGradients&);
ST_EVENT_LIF(float)
ST_EVENT_LIF(double)
#undef ST_EVENT_LIF

}  // namespace spiketrain::cpu
