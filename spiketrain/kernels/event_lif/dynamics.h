// The membrane between two events in closed form, and its first crossing; equations in event_lif.h.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "spiketrain/kernels/event_lif/event_lif.h"

namespace spiketrain::cpu {

class EventDynamics {
 public:
  explicit EventDynamics(const EventLifParams& p)
      : tau_m_(p.tau_m),
        tau_s_(p.tau_s),
        threshold_(p.threshold),
        slow_(std::max(p.tau_m, p.tau_s)),
        rate_(std::abs(1 / p.tau_s - 1 / p.tau_m)) {
    const double x = (tau_m_ - tau_s_) / tau_s_;  // k is greatest at tau_m log(tau_m/tau_s)/x
    peak_time_ = x == 0 ? tau_m_ : tau_m_ * std::log1p(x) / x;
    peak_ = k(peak_time_);
  }

  /// Factors over a time s.
  struct Factors {
    double m, s, k;  ///< e^(-s/tau_m), e^(-s/tau_s), k(s)
  };
  Factors over(double s) const { return {std::exp(-s / tau_m_), std::exp(-s / tau_s_), k(s)}; }

  /// Greatest k.
  double peak() const { return peak_; }

  /// A time to look ahead.
  struct Gap {
    double time;
    Factors whole;  ///< over that time
    double most;    ///< greatest k within it
  };
  Gap gap(double time) const {
    const Factors whole = over(time);
    return {time, whole, time < peak_time_ ? whole.k : peak_};
  }

  /// Time to the first crossing within the gap; infinity if there is none.
  double crossing(double V, double I, const Gap& gap) const {
    constexpr double none = std::numeric_limits<double>::infinity();
    if (!(std::max(V, 0.0) + I * gap.most >= threshold_) || !(I > threshold_)) return none;
    if (V >= threshold_) return 0;  // by rounding, as the state was moved on in several parts
    const Factors& whole = gap.whole;
    if (I * whole.s > threshold_)
      return V * whole.m + I * whole.k >= threshold_ ? root(V, I, gap.time) : none;
    const double turn = std::min(gap.time, tau_s_ * std::log(I / threshold_));
    return membrane(V, I, turn) > threshold_ ? root(V, I, turn) : none;
  }

 private:
  /// One form for tau_m above, below and equal to tau_s, without cancellation where they are close.
  double k(double s) const {
    const double x = s * rate_, mean = x == 0 ? 1 : -std::expm1(-x) / x;
    return std::exp(-s / slow_) * (s / tau_m_) * mean;
  }
  double membrane(double V, double I, double s) const { return V * std::exp(-s / tau_m_) + I * k(s); }

  /// The only root in (0, high], where V rises.
  double root(double V, double I, double high) const {
    if (tau_m_ == 2 * tau_s_) {  // I z^2 - (V + I) z + threshold = 0 in z = e^(-s/tau_m)
      const double b = V + I, z = (b + std::sqrt(std::max(0.0, b * b - 4 * I * threshold_))) / (2 * I);
      return std::clamp(-tau_m_ * std::log(z), 0.0, high);
    }
    constexpr double precision = 2 * std::numeric_limits<double>::epsilon();
    double low = 0, s = tau_m_ * (threshold_ - V) / (I - V);
    if (!(s < high)) s = 0.5 * high;
    for (int i = 0; i < 200 && high - low > precision * high; ++i) {
      const double v = membrane(V, I, s);
      (v < threshold_ ? low : high) = s;
      double next = s + tau_m_ * (threshold_ - v) / (I * std::exp(-s / tau_s_) - v);
      if (!(next > low && next < high)) next = 0.5 * (low + high);
      if (std::abs(next - s) <= precision * s) return next;
      s = next;
    }
    return high;
  }

  double tau_m_, tau_s_, threshold_, slow_, rate_, peak_time_ = 0, peak_ = 0;
};

}  // namespace spiketrain::cpu
