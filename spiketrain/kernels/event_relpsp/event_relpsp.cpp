#include "spiketrain/kernels/event_relpsp/event_relpsp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain::cpu {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

int64_t relpsp_arrivals(const Arrivals& in, double end) {
  return std::lower_bound(in.time, in.time + in.n, end) - in.time;
}

/// Along one side of a map: the places of the kernel, of `places`, that cover pixel y, padding included.
struct Covering {
  int64_t first, last;
};
Covering covering(const RelpspMap& map, int64_t y, int64_t places) {
  const int64_t above = y - map.kernel + 1;
  return {above <= 0 ? 0 : (above + map.stride - 1) / map.stride, std::min(places - 1, y / map.stride)};
}

/// Calls f(position, offset of the weights' row) for everything that a spike of this element reaches.
template <class F>
void for_reached(const RelpspMap& map, int64_t element, const F& f) {
  const int64_t area = map.height * map.width, c = element / area, rest = element % area;
  const int64_t y = rest / map.width + map.padding, x = rest % map.width + map.padding;
  const int64_t columns = map.out_width();
  const Covering down = covering(map, y, map.out_height()), across = covering(map, x, columns);
  for (int64_t row = down.first; row <= down.last; ++row) {
    const int64_t weights = (c * map.kernel + y - row * map.stride) * map.kernel + x;
    for (int64_t column = across.first; column <= across.last; ++column)
      f(row * columns + column, (weights - column * map.stride) * map.maps);
  }
}

class RelpspForward {
 public:
  RelpspForward(const RelpspParams& p, const RelpspMap& map, const double* weights, const Arrivals& in)
      : p_(p),
        map_(map),
        weights_(weights),
        in_(in),
        V_(static_cast<size_t>(map.neurons())),
        S_(V_.size()),
        at_(static_cast<size_t>(map.positions())) {}

  RelpspRecord run(double* membrane) {
    const int64_t n = relpsp_arrivals(in_, p_.end);
    for (int64_t i = 0; i < n; ++i) {
      const double now = in_.time[i];
      for_reached(map_, in_.source[i],
                  [&](int64_t position, int64_t row) { arrive(position, now, weights_ + row, i); });
    }
    for (int64_t position = 0; position < map_.positions(); ++position) finish(position, n, membrane);
    return sorted();
  }

 private:
  /// Moves the neurons of a position on to `now` and lets their new input in.
  void arrive(int64_t position, double now, const double* row, int64_t i) {
    const double gap = now - at_[static_cast<size_t>(position)];
    double *V = V_.data() + position * map_.maps, *S = S_.data() + position * map_.maps;
    if (gap > 0 && !p_.falling) {
      int64_t reached = 0;
      for (int64_t m = 0; m < map_.maps; ++m) reached += V[m] + S[m] * gap >= p_.threshold ? 1 : 0;
      if (reached > 0) spike(position, now, i);
    }
    for (int64_t m = 0; m < map_.maps; ++m) {
      V[m] += S[m] * gap;
      S[m] += row[m];
    }
    at_[static_cast<size_t>(position)] = now;
  }

  /// Those neurons of a position that reach the threshold no later than `now`, when arrival i comes.
  void spike(int64_t position, double now, int64_t i) {
    const double before = at_[static_cast<size_t>(position)], gap = now - before;
    for (int64_t m = 0; m < map_.maps; ++m) {
      const auto at = static_cast<size_t>(position * map_.maps + m);
      if (!(V_[at] + S_[at] * gap >= p_.threshold)) continue;
      send(position, m, std::min(now, before + (p_.threshold - V_[at]) / S_[at]), S_[at], i);
    }
  }

  void send(int64_t position, int64_t m, double time, double slope, int64_t causal) {
    record_.time.push_back(time);
    record_.slope.push_back(slope);
    record_.neuron.push_back(m * map_.positions() + position);
    record_.causal.push_back(causal);
    // A membrane that has spiked stays below every threshold.
    const auto at = static_cast<size_t>(position * map_.maps + m);
    V_[at] = -kNever;
    S_[at] = 0;
  }

  /// After the last arrival.
  void finish(int64_t position, int64_t n, double* membrane) {
    const double last = at_[static_cast<size_t>(position)], gap = p_.end - last;
    for (int64_t m = 0; m < map_.maps; ++m) {
      const auto at = static_cast<size_t>(position * map_.maps + m);
      double &V = V_[at], S = S_[at];
      if (p_.falling) {
        V += S * gap;
        finish_falling(position, m, n);
        if (V != -kNever) V += S * p_.end;
      } else {
        const double time = last + (p_.threshold - V) / S;
        if (S > 0 && time < p_.end) send(position, m, time, S, n);
        if (V != -kNever) V += S * gap;
      }
      const bool spiked = V == -kNever;
      ST_CHECK(spiked || std::isfinite(V),
               "event layer: a membrane is not finite; its weights, or the times of its spikes, are not");
      if (membrane) membrane[m * map_.positions() + position] = spiked ? p_.threshold : V;
      if (!spiked && p_.late > 0)
        send(position, m, p_.end * (1 + p_.late * std::max(0.0, 1 - V / p_.threshold)),
             p_.threshold / (p_.late * p_.end), n);
    }
  }

  /// The membrane stands at the begin of the layer's own window.
  void finish_falling(int64_t position, int64_t m, int64_t n) {
    const auto at = static_cast<size_t>(position * map_.maps + m);
    const double left = p_.threshold - V_[at], slope = S_[at] + p_.threshold / p_.end;
    if (left <= 0) return send(position, m, 0, kNever, n);
    if (slope > 0 && left / slope < p_.end) send(position, m, left / slope, slope, n);
  }

  RelpspRecord sorted() {
    std::vector<size_t> order(record_.time.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(record_.time[a], record_.neuron[a]) < std::pair(record_.time[b], record_.neuron[b]);
    });
    RelpspRecord out;
    for (const size_t k : order) {
      out.time.push_back(record_.time[k]);
      out.slope.push_back(record_.slope[k]);
      out.neuron.push_back(record_.neuron[k]);
      out.causal.push_back(record_.causal[k]);
    }
    return out;
  }

  const RelpspParams& p_;
  const RelpspMap& map_;
  const double* weights_;
  const Arrivals& in_;
  std::vector<double> V_, S_, at_;  ///< [positions, maps] membrane and slope; [positions] at which time
  RelpspRecord record_;
};

/// What a spike's error, or that of a silent neuron's membrane, adds for each arrival i < causal of weight w:
/// dL/dw_i += of_time*t_i - constant,  dL/dt_i += of_time*w.
struct RelpspFactor {
  int64_t position, map, causal;
  double of_time, constant;
};

/// Those that are not 0, position by position, the most arrivals first.
class RelpspFactors {
 public:
  RelpspFactors(const RelpspParams& p, const RelpspMap& map) : p_(p), map_(map) {}

  void add_spikes(const RelpspRecord& record, const double* g) {
    const double begin = p_.falling ? p_.end : 0;
    for (size_t k = 0; k < record.time.size(); ++k) {
      const double time = std::min(record.time[k], p_.end) + begin;  // a late one is read off at the end
      double one = 1 / record.slope[k], by_time = time * one;
      if (p_.clip > 0) {
        one = std::min(one, p_.clip * p_.end / p_.threshold);
        by_time = std::min(by_time, p_.clip * p_.end * p_.end / p_.threshold);
      }
      put(record.neuron[k], g[k] * one, g[k] * by_time, record.causal[k]);
    }
  }
  /// Of neurons that are not in the record.
  void add_membranes(const RelpspRecord& record, const double* g, int64_t arrivals) {
    std::vector<bool> spiked(static_cast<size_t>(map_.neurons()));
    for (const int64_t neuron : record.neuron) spiked[static_cast<size_t>(neuron)] = true;
    const double time = p_.falling ? 2 * p_.end : p_.end;
    for (int64_t neuron = 0; neuron < map_.neurons(); ++neuron) {
      if (!spiked[static_cast<size_t>(neuron)]) put(neuron, -g[neuron], -g[neuron] * time, arrivals);
    }
  }
  void order() {
    std::sort(all_.begin(), all_.end(), [](const RelpspFactor& a, const RelpspFactor& b) {
      return std::tuple(a.position, -a.causal, a.map) < std::tuple(b.position, -b.causal, b.map);
    });
    first_.assign(static_cast<size_t>(map_.positions()) + 1, 0);
    for (const RelpspFactor& f : all_) ++first_[static_cast<size_t>(f.position) + 1];
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
  }
  /// Calls f(factor) for those of a position that read arrival i.
  template <class F>
  void for_readers(int64_t position, int64_t i, const F& f) const {
    const auto at = static_cast<size_t>(position);
    for (size_t k = first_[at]; k < first_[at + 1] && i < all_[k].causal; ++k) f(all_[k]);
  }

 private:
  void put(int64_t neuron, double of_time, double constant, int64_t causal) {
    if (of_time == 0 && constant == 0) return;
    all_.push_back({neuron % map_.positions(), neuron / map_.positions(), causal, of_time, constant});
  }

  const RelpspParams& p_;
  const RelpspMap& map_;
  std::vector<RelpspFactor> all_;
  std::vector<size_t> first_;  ///< [positions + 1] where its factors begin
};

}  // namespace

RelpspRecord event_relpsp_forward(const RelpspParams& p, const RelpspMap& map, const double* weights,
                                  const Arrivals& in, double* membrane) {
  return RelpspForward(p, map, weights, in).run(membrane);
}

void event_relpsp_backward(const RelpspParams& p, const RelpspMap& map, const double* weights,
                           const Arrivals& in, const RelpspRecord& record, const RelpspErrors& errors,
                           const RelpspGradients& g) {
  const int64_t n = relpsp_arrivals(in, p.end);
  RelpspFactors factors(p, map);
  if (errors.time) factors.add_spikes(record, errors.time);
  if (errors.membrane) factors.add_membranes(record, errors.membrane, n);
  factors.order();
  for (int64_t i = 0; i < n; ++i) {
    double pull = 0;
    for_reached(map, in.source[i], [&](int64_t position, int64_t row) {
      factors.for_readers(position, i, [&](const RelpspFactor& f) {
        pull += f.of_time * weights[row + f.map];
        if (g.weights) g.weights[row + f.map] += f.of_time * in.time[i] - f.constant;
      });
    });
    if (g.time) g.time[i] = pull;
  }
}

}  // namespace spiketrain::cpu
