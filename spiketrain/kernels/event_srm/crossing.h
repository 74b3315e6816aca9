// The membrane of a spike-response neuron between two events, and its first crossing of the threshold from below.
//   u(s) = (Q + P s/tau_s) e^(-s/tau_s) + R e^(-s/tau_refractory)        R <= 0
// No crossing is missed, however short: u' has the sign of
//   g(s) = (P - Q - P s/tau_s) e^(-k s) - R tau_s/tau_refractory,   k = 1/tau_s - 1/tau_refractory
// which turns at most once, at s = 1/k + tau_s (P - Q)/P.  Before and after that time g has at most one root each, so u is monotone in at
// most three pieces, whose borders are bracketed; and in a piece that rises the crossing is single.  Roots: Newton's method,
// which never leaves its bracket.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "spiketrain/kernels/event_srm/event_srm.h"

namespace spiketrain::cpu {

constexpr double kEulersNumber = 2.718281828459045;

/// A neuron at one time: the response to arrivals, its growth, and the refractory response.
struct SrmState {
  double Q = 0, P = 0, R = 0;
};

class SrmDynamics {
 public:
  explicit SrmDynamics(const EventSrmParams& p)
      : tau_s_(p.tau_s),
        tau_r_(p.tau_refractory),
        threshold_(p.threshold),
        rate_(1 / p.tau_s - 1 / p.tau_refractory) {}

  /// Factors over a time s.
  struct Factors {
    double s, r;  ///< e^(-s/tau_s), e^(-s/tau_refractory)
    double x;     ///< s/tau_s
  };
  Factors over(double s) const { return {std::exp(-s / tau_s_), std::exp(-s / tau_r_), s / tau_s_}; }
  static void advance(SrmState& z, const Factors& f) {
    z.Q = (z.Q + z.P * f.x) * f.s;
    z.P *= f.s;
    z.R *= f.r;
  }

  /// A time to look ahead.
  struct Gap {
    double time;
    Factors whole;  ///< over that time
    double most;    ///< greatest (s/tau_s) e^(-s/tau_s) within it
  };
  Gap gap(double time) const {
    const Factors whole = over(time);
    return {time, whole, time < tau_s_ ? whole.x * whole.s : 1 / kEulersNumber};
  }
  /// Whether the membrane might reach the threshold within the gap; cheap.
  bool may_cross(const SrmState& z, const Gap& gap) const {
    return std::max(z.Q, 0.0) + std::max(z.P, 0.0) * gap.most + z.R * gap.whole.r >= threshold_;
  }

  /// du/dt
  double slope(const SrmState& z) const { return (z.P - z.Q) / tau_s_ - z.R / tau_r_; }

  /// Time to the first crossing, at most `time`; infinity if there is none.  A maximum at the threshold is none.
  double crossing(const SrmState& z, double time) const {
    if (z.Q + z.R >= threshold_) return 0;  // by rounding, as the state was moved on in several parts
    std::array<double, 4> border{};
    const int pieces = split(z, time, border);
    const auto above = [&](double s) { return membrane(z, s) - threshold_; };
    const auto rise = [&](double s) { return slope(moved(z, s)); };
    for (int i = 0; i < pieces; ++i) {
      const double low = border[static_cast<size_t>(i)], high = border[static_cast<size_t>(i) + 1];
      const double at_high = above(high);
      if (at_high > 0 || (at_high == 0 && i + 1 == pieces)) return root(above, rise, low, high);
    }
    return std::numeric_limits<double>::infinity();
  }

 private:
  SrmState moved(SrmState z, double s) const {
    advance(z, over(s));
    return z;
  }
  double membrane(const SrmState& z, double s) const {
    const SrmState now = moved(z, s);
    return now.Q + now.R;
  }

  /// Borders of the pieces in which u is monotone: 0, where it turns, `time`.  Returns the number of pieces.
  int split(const SrmState& z, double time, std::array<double, 4>& border) const {
    const double start = z.P - z.Q, growth = -z.P / tau_s_, constant = -z.R * tau_s_ / tau_r_;
    const auto g = [&](double s) { return (start + growth * s) * std::exp(-rate_ * s) + constant; };
    const auto g_slope = [&](double s) {
      return (growth - rate_ * (start + growth * s)) * std::exp(-rate_ * s);
    };
    int n = 0;
    border[0] = 0;
    const auto look = [&](double low, double high) {
      const double at_low = g(low), at_high = g(high);
      if (at_low < 0 && at_high > 0) border[static_cast<size_t>(++n)] = root(g, g_slope, low, high);
      if (at_low > 0 && at_high < 0)
        border[static_cast<size_t>(++n)] =
            root([&](double s) { return -g(s); }, [&](double s) { return -g_slope(s); }, low, high);
    };
    const double turn = 1 / rate_ - start / growth;  // not finite: g is monotone
    if (turn > 0 && turn < time) {
      look(0, turn);
      look(turn, time);
    } else {
      look(0, time);
    }
    border[static_cast<size_t>(++n)] = time;
    return n;
  }

  /// Where f, which rises from below 0 at `low` to 0 or more at `high`, is 0.
  template <class F, class D>
  static double root(const F& f, const D& derivative, double low, double high) {
    constexpr double precision = 2 * std::numeric_limits<double>::epsilon();
    double s = 0.5 * (low + high);
    for (int i = 0; i < 200 && high - low > precision * high; ++i) {
      const double value = f(s);
      (value < 0 ? low : high) = s;
      double next = s - value / derivative(s);
      if (!(next > low && next < high)) next = 0.5 * (low + high);
      if (std::abs(next - s) <= precision * s) return next;
      s = next;
    }
    return high;
  }

  double tau_s_, tau_r_, threshold_, rate_;
};

}  // namespace spiketrain::cpu
