#include "spiketrain/kernels/event_srm/event_srm.h"

#include <tuple>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/kernels/event_srm/crossing.h"

namespace spiketrain::cpu {
namespace {

int64_t srm_arrivals_before(const Arrivals& in, double end) {
  return std::lower_bound(in.time, in.time + in.n, end) - in.time;
}

template <class R>
class SrmForward {
 public:
  SrmForward(const EventSrmParams& p, const EventWeights<R>& w, const Arrivals& in)
      : p_(p), w_(w), in_(in), dynamics_(p), state_(static_cast<size_t>(w.neurons)) {}

  SrmRecord run() {
    const int64_t n = srm_arrivals_before(in_, p_.end);
    for (int64_t k = 0;;) {
      const double until = k < n ? in_.time[k] : p_.end;
      pass(until);
      if (k == n) break;
      for (; k < n && in_.time[k] == until; ++k) jump(w_.in + in_.source[k] * w_.neurons);
      arrived_ = until;
    }
    bool finite = true;
    for (const SrmState& z : state_) finite = finite && std::isfinite(z.Q + z.P + z.R);
    ST_CHECK(finite,
             "event layer: a membrane is not finite; its weights, or the times of its spikes, are not");
    return std::move(record_);
  }

 private:
  using Spike = std::tuple<double, int64_t, double>;  ///< time, neuron, slope

  /// From now to `until`, when the next spike arrives.
  void pass(double until) {
    const SrmDynamics::Gap gap = dynamics_.gap(until - now_);
    found_.clear();
    for (int64_t m = 0; m < w_.neurons; ++m) {
      SrmState& z = state_[static_cast<size_t>(m)];
      if (dynamics_.may_cross(z, gap)) {
        spike(m, z, until);
      } else {
        SrmDynamics::advance(z, gap.whole);
      }
    }
    std::sort(found_.begin(), found_.end());
    for (const auto& [time, neuron, slope] : found_) {
      record_.time.push_back(time);
      record_.neuron.push_back(neuron);
      record_.slope.push_back(slope);
    }
    now_ = until;
  }

  /// The spikes of neuron m up to `until`.
  void spike(int64_t m, SrmState& z, double until) {
    double now = now_;
    for (;;) {
      const double wait = dynamics_.crossing(z, until - now);
      if (!(wait <= until - now)) break;
      SrmDynamics::advance(z, dynamics_.over(wait));
      // What is caused by an arrival comes after it: the gradient undoes them by time.
      now = std::min(std::max(now + wait, std::nextafter(arrived_, p_.end)), until);
      found_.emplace_back(now, m, dynamics_.slope(z));
      z.R -= p_.weight_refractory;
      const auto spikes = static_cast<int64_t>(record_.time.size() + found_.size());
      ST_CHECK(
          spikes / w_.neurons < p_.max_spikes, "event layer: more than ", p_.max_spikes,
          " spikes per neuron in one sample; lower its weights or the learning rate, or raise max_spikes");
    }
    SrmDynamics::advance(z, dynamics_.over(until - now));
  }

  void jump(const R* weights) {
    for (size_t m = 0; m < state_.size(); ++m) state_[m].P += kEulersNumber * static_cast<double>(weights[m]);
  }

  const EventSrmParams& p_;
  const EventWeights<R>& w_;
  const Arrivals& in_;
  SrmDynamics dynamics_;
  std::vector<SrmState> state_;
  std::vector<Spike> found_;
  double now_ = 0, arrived_ = -1;
  SrmRecord record_;
};

/// The sums over later spikes of each neuron, on their way back.
class SrmAdjoint {
 public:
  SrmAdjoint(const EventSrmParams& p, int64_t neurons)
      : p_(p), dynamics_(p), sum_(static_cast<size_t>(neurons)), time_(p.end) {}

  void back_to(double time) {
    const SrmDynamics::Factors f = dynamics_.over(time_ - time);
    for (SrmState& z : sum_) SrmDynamics::advance(z, f);
    time_ = time;
  }
  void spike(int64_t n, double slope, double g_time) {
    SrmState& z = sum_[static_cast<size_t>(n)];
    if (p_.feedback) g_time -= z.R * p_.weight_refractory / p_.tau_refractory;
    const double mu = -g_time / std::max(slope, p_.min_slope * p_.threshold / p_.tau_s);
    z.P += kEulersNumber * mu;
    z.R += mu;
  }
  /// dL/d(time of an arrival) through these synapses.
  template <class R>
  double pull(const R* weights) const {
    double total = 0;
    for (size_t m = 0; m < sum_.size(); ++m)
      total += static_cast<double>(weights[m]) * (sum_[m].Q - sum_[m].P);
    return total / p_.tau_s;
  }
  void add_weight_gradient(double* row) const {
    for (size_t m = 0; m < sum_.size(); ++m) row[m] += sum_[m].Q;
  }

 private:
  const EventSrmParams& p_;
  SrmDynamics dynamics_;
  /// Over later spikes: Q of mu eps(t_f - t), P of mu e^(1 - (t_f - t)/tau_s), R of mu e^(-(t_f - t)/tau_refractory).
  std::vector<SrmState> sum_;
  double time_;
};

}  // namespace

template <class R>
SrmRecord event_srm_forward(const EventSrmParams& p, const EventWeights<R>& w, const Arrivals& in) {
  return SrmForward<R>(p, w, in).run();
}

template <class R>
void event_srm_backward(const EventSrmParams& p, const EventWeights<R>& w, const Arrivals& in,
                        const SrmRecord& record, const double* g_time, const EventGradients& g) {
  SrmAdjoint adjoint(p, w.neurons);
  int64_t i = srm_arrivals_before(in, p.end) - 1;
  auto k = static_cast<int64_t>(record.time.size()) - 1;
  while (i >= 0 || k >= 0) {
    const auto at = static_cast<size_t>(std::max<int64_t>(k, 0));
    if (k < 0 || (i >= 0 && in.time[i] >= record.time[at])) {
      adjoint.back_to(in.time[i]);
      const int64_t row = in.source[i] * w.neurons;
      if (g.time) g.time[i] = adjoint.pull(w.in + row);
      if (g.in) adjoint.add_weight_gradient(g.in + row);
      --i;
    } else {
      adjoint.back_to(record.time[at]);
      adjoint.spike(record.neuron[at], record.slope[at], g_time[at]);
      --k;
    }
  }
}

#define ST_EVENT_SRM(R)                                                                                    \
  template SrmRecord event_srm_forward<R>(const EventSrmParams&, const EventWeights<R>&, const Arrivals&); \
  template void event_srm_backward<R>(const EventSrmParams&, const EventWeights<R>&, const Arrivals&,      \
                                      const SrmRecord&, const double*, const EventGradients&);
ST_EVENT_SRM(float)
ST_EVENT_SRM(double)
#undef ST_EVENT_SRM

}  // namespace spiketrain::cpu
