// Event-driven spike-response layers: spikes against the definition on a fine grid, crossings against all values between two events,
// gradients against sums written out, touches, silence, threads and everything that is refused.
#include "spiketrain/ops/event_srm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/kernels/event_srm/crossing.h"
#include "spiketrain/ops/memory_tracker.h"
#include "tests/support/event_lists.h"
#include "tests/support/message.h"

namespace spiketrain::event_srm_test {

constexpr int64_t kSteps = 40;

cpu::EventSrmParams params(double tau_s, double tau_refractory, double weight_refractory = 1.5) {
  cpu::EventSrmParams p;
  p.tau_s = tau_s;
  p.tau_refractory = tau_refractory;
  p.weight_refractory = weight_refractory;
  return p;
}

double response(const cpu::EventSrmParams& p, double s) {
  return s <= 0 ? 0 : s / p.tau_s * std::exp(1 - s / p.tau_s);
}
double response_slope(const cpu::EventSrmParams& p, double s) {
  return s <= 0 ? 0 : (1 - s / p.tau_s) / p.tau_s * std::exp(1 - s / p.tau_s);
}
double refractory(const cpu::EventSrmParams& p, double s) {
  return s <= 0 ? 0 : -p.weight_refractory * std::exp(-s / p.tau_refractory);
}

Tensor weights(int64_t neurons, int64_t inputs, double mean = 1.2) {
  torch::manual_seed(4);
  return (torch::rand({neurons, inputs}, torch::kDouble) * 2 - 0.5) *
         (2 * mean / static_cast<double>(inputs));
}

EventList list_of(const SpikeTimes& s, int64_t b = 0) {
  EventList list;
  for (auto k = s.offset[b].item<int64_t>(); k < s.offset[b + 1].item<int64_t>(); ++k)
    list.emplace_back(s.time[k].item<double>(), s.index[k].item<int64_t>());
  return list;
}

/// u of neuron m at t by the definition.
double membrane(const cpu::EventSrmParams& p, const Tensor& W, int64_t m, const EventList& in,
                const EventList& own, double t) {
  double u = 0;
  for (const auto& [at, i] : in) u += W[m][i].item<double>() * response(p, t - at);
  for (const auto& [at, n] : own)
    if (n == m) u += refractory(p, t - at);
  return u;
}

/// One neuron by brute force.
EventList plain_search(const cpu::EventSrmParams& p, const Tensor& W, int64_t m, const EventList& in) {
  constexpr double grid = 1.0 / 64;
  EventList own;
  double before = membrane(p, W, m, in, own, 0), t = 0;
  while (t < static_cast<double>(kSteps)) {
    const double next = t + grid;
    double now = membrane(p, W, m, in, own, next);
    if (before < p.threshold && now >= p.threshold) {
      double low = t, high = next;
      for (int i = 0; i < 60; ++i) {
        const double middle = 0.5 * (low + high);
        (membrane(p, W, m, in, own, middle) < p.threshold ? low : high) = middle;
      }
      own.emplace_back(high, m);
      t = high;
      before = p.threshold - p.weight_refractory;
      continue;
    }
    before = now;
    t = next;
  }
  return own;
}

TEST(EventSrm, FindsTheSpikesOfAPlainSearch) {
  const std::vector<std::pair<double, double>> constants = {{5, 10}, {4, 4}, {4, 4.000001}, {6, 2}, {2, 60}};
  size_t spikes = 0, several = 0;
  for (const auto& [tau_s, tau_refractory] : constants) {
    SCOPED_TRACE(testing::Message() << tau_s << ' ' << tau_refractory);
    const auto p = params(tau_s, tau_refractory);
    const Tensor W = weights(3, 4);
    const SpikeTimes in = random_times(1, 4, kSteps, 3);
    const EventList ours = list_of(ops::event_srm_forward(p, in, W).sent);
    for (int64_t m = 0; m < 3; ++m) {
      const EventList plain = plain_search(p, W, m, list_of(in));
      EventList own;
      std::copy_if(ours.begin(), ours.end(), std::back_inserter(own),
                   [&](const auto& s) { return s.second == m; });
      ASSERT_EQ(own.size(), plain.size()) << m;
      for (size_t k = 0; k < own.size(); ++k) EXPECT_NEAR(own[k].first, plain[k].first, 1e-9);
      spikes += own.size();
      several += own.size() > 1;
    }
    EXPECT_TRUE(std::is_sorted(ours.begin(), ours.end()));
  }
  EXPECT_GT(spikes, 30U);
  EXPECT_GT(several, 6U);
}

/// Any state, whatever brought it about: no value before the crossing is above the threshold.
TEST(EventSrm, NoCrossingIsMissedBetweenTwoEvents) {
  Rng rng(1, Purpose::test);
  int found = 0, humps = 0;
  for (int trial = 0; trial < 6000; ++trial) {
    const auto p = params(std::exp(rng.uniform(-1, 3)), trial % 5 == 0 ? 3.0 : std::exp(rng.uniform(-1, 3)));
    const cpu::SrmDynamics dynamics(p);
    const cpu::SrmState z = {rng.uniform(-4, 4), rng.uniform(-6, 9), -std::max(0.0, rng.uniform(-1, 6))};
    if (z.Q + z.R >= p.threshold) continue;
    const double gap = std::exp(rng.uniform(-3, 4)), s = dynamics.crossing(z, gap);
    const auto u = [&](double at) {
      cpu::SrmState now = z;
      cpu::SrmDynamics::advance(now, dynamics.over(at));
      return now.Q + now.R;
    };
    constexpr int fine = 1000;
    for (int i = 0; i <= fine; ++i) {
      const double at = gap * i / fine;
      if (at >= s) break;
      ASSERT_LT(u(at), p.threshold + 1e-12) << trial << " at " << at << " of " << gap << ", found " << s;
    }
    if (!(s <= gap)) continue;
    EXPECT_TRUE(dynamics.may_cross(z, dynamics.gap(gap))) << trial;
    EXPECT_NEAR(u(s), p.threshold, 1e-11) << trial;
    ++found;
    cpu::SrmState at_spike = z;
    cpu::SrmDynamics::advance(at_spike, dynamics.over(s));
    EXPECT_GE(dynamics.slope(at_spike), -1e-9) << trial;
    humps += u(gap) < p.threshold;  // it is below again when the gap ends
  }
  EXPECT_GT(found, 500);
  EXPECT_GT(humps, 100);
}

/// Just below and just above the weight with which the membrane touches the threshold; a grid would miss so short a hump.
TEST(EventSrm, ATouchIsNoCrossingAndAGrazeIsClipped) {
  auto p = params(5, 10);
  const SpikeTimes in = spike_times({{{1, 0}}}, 1, 60);
  const auto spikes = [&](double w) {
    return ops::event_srm_forward(p, in, torch::full({1, 1}, w, torch::kDouble));
  };
  EXPECT_EQ(spikes(1 - 1e-12).slope.numel(), 0);
  const auto graze = spikes(1 + 1e-10);
  ASSERT_EQ(graze.slope.numel(), 1);
  EXPECT_NEAR(graze.sent.time[0].item<double>(), 6, 1e-3);
  const double slope = graze.slope[0].item<double>() * p.tau_s;
  EXPECT_GT(slope, 0);
  EXPECT_LT(slope, 1e-3);
  const auto gradient = [&](double min_slope) {
    p.min_slope = min_slope;
    const Tensor W = torch::full({1, 1}, 1 + 1e-10, torch::kDouble);
    return ops::event_srm_backward(p, in, W, graze, torch::ones({1}, torch::kDouble), false)
        .in.item<double>();
  };
  EXPECT_NEAR(gradient(0) * slope, gradient(0.1) * 0.1, 1e-9 * std::abs(gradient(0.1)));
}

/// dt_f/dW and dt_f/d(arrival) of neuron m by the recursion over its spikes.
struct Derivatives {
  std::vector<std::vector<double>> by_weight, by_time;  ///< [spike][input], [spike][arrival]
};
Derivatives derivatives(const cpu::EventSrmParams& p, const Tensor& W, int64_t m, const EventList& in,
                        const std::vector<double>& own) {
  Derivatives d;
  for (size_t f = 0; f < own.size(); ++f) {
    std::vector<double> by_weight(static_cast<size_t>(W.size(1))), by_time(in.size());
    double slope = 0;
    for (size_t a = 0; a < in.size(); ++a) {
      const auto [at, i] = in[a];
      const double w = W[m][i].item<double>();
      by_weight[static_cast<size_t>(i)] += response(p, own[f] - at);
      by_time[a] = -w * response_slope(p, own[f] - at);
      slope += w * response_slope(p, own[f] - at);
    }
    for (size_t g = 0; g < f; ++g) {
      const double back =
          p.weight_refractory / p.tau_refractory * std::exp(-(own[f] - own[g]) / p.tau_refractory);
      slope += back;
      if (!p.feedback) continue;
      for (size_t i = 0; i < by_weight.size(); ++i) by_weight[i] -= back * d.by_weight[g][i];
      for (size_t a = 0; a < in.size(); ++a) by_time[a] -= back * d.by_time[g][a];
    }
    for (double& v : by_weight) v /= -slope;
    for (double& v : by_time) v /= -slope;
    d.by_weight.push_back(by_weight);
    d.by_time.push_back(by_time);
  }
  return d;
}

/// With feedback the full sum over earlier spikes; without it SpikeProp for each spike by itself.
TEST(EventSrm, GradientsAreTheSumsWrittenOut) {
  for (const bool feedback : {true, false}) {
    auto p = params(4, 8);
    p.feedback = feedback;
    p.min_slope = 0;
    const Tensor W = weights(3, 4, 2.5);
    const SpikeTimes in = random_times(1, 4, kSteps, 3);
    const auto out = ops::event_srm_forward(p, in, W);
    const Tensor g = torch::linspace(-1, 2, out.slope.numel(), torch::kDouble);
    const auto credit = ops::event_srm_backward(p, in, W, out, g, true);
    Tensor by_weight = torch::zeros_like(W), by_time = torch::zeros_like(credit.time);
    const EventList arrivals = list_of(in), sent = list_of(out.sent);
    for (int64_t m = 0; m < 3; ++m) {
      std::vector<double> own, wanted;
      for (size_t k = 0; k < sent.size(); ++k) {
        if (sent[k].second != m) continue;
        own.push_back(sent[k].first);
        wanted.push_back(g[static_cast<int64_t>(k)].item<double>());
      }
      ASSERT_GT(own.size(), 1U) << "every neuron should spike more than once";
      const Derivatives d = derivatives(p, W, m, arrivals, own);
      for (size_t f = 0; f < own.size(); ++f) {
        by_weight[m] += wanted[f] * torch::tensor(d.by_weight[f], torch::kDouble);
        by_time += wanted[f] * torch::tensor(d.by_time[f], torch::kDouble);
      }
    }
    EXPECT_TRUE(torch::allclose(credit.in, by_weight, 1e-9, 1e-10)) << credit.in << by_weight;
    EXPECT_TRUE(torch::allclose(credit.time, by_time, 1e-9, 1e-10));
    EXPECT_FALSE(credit.recurrent.defined());
  }
}

TEST(EventSrm, NothingArrives) {
  const auto p = params(5, 10);
  const SpikeTimes in = spike_times({{}, {}}, 4, kSteps);
  const Tensor W = weights(3, 4);
  const auto out = ops::event_srm_forward(p, in, W);
  EXPECT_EQ(out.sent.time.numel(), 0);
  EXPECT_EQ(out.sent.batch(), 2);
  const auto credit = ops::event_srm_backward(p, in, W, out, torch::zeros({0}, torch::kDouble), true);
  EXPECT_EQ(credit.in.abs().sum().item<double>(), 0);
  EXPECT_EQ(credit.time.numel(), 0);
}

TEST(EventSrm, SpikesAtOneTimeAddUpAndTheLowerIndexComesFirst) {
  const auto p = params(5, 10);
  const Tensor W = torch::full({3, 2}, 1.1, torch::kDouble);
  const EventList sent =
      list_of(ops::event_srm_forward(p, spike_times({{{2, 0}, {2, 1}}}, 2, kSteps), W).sent);
  ASSERT_GE(sent.size(), 3U);
  const EventList single = list_of(
      ops::event_srm_forward(p, spike_times({{{2, 0}}}, 1, kSteps), torch::full({1, 1}, 2.2, torch::kDouble))
          .sent);
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(sent[k].second, static_cast<int64_t>(k));
    EXPECT_NEAR(sent[k].first, single[0].first, 1e-12);
  }
}

TEST(EventSrm, WhatArrivesAtTheEndIsIgnored) {
  const auto p = params(5, 10);
  const Tensor W = weights(3, 4, 2);
  const SpikeTimes in = spike_times({{{1, 0}, {2, 1}, {3, 2}}}, 4, kSteps);
  const SpikeTimes more = spike_times({{{1, 0}, {2, 1}, {3, 2}, {kSteps, 3}, {kSteps + 5, 0}}}, 4, kSteps);
  const auto out = ops::event_srm_forward(p, in, W), same = ops::event_srm_forward(p, more, W);
  ASSERT_GT(out.slope.numel(), 0);
  EXPECT_TRUE(torch::equal(out.sent.time, same.sent.time));
  const auto credit = ops::event_srm_backward(p, more, W, same, torch::ones_like(same.slope), true);
  EXPECT_EQ(credit.time[3].item<double>(), 0);
  EXPECT_EQ(credit.time[4].item<double>(), 0);
}

TEST(EventSrm, FloatWeightsGiveTheSpikesOfTheirValues) {
  const auto p = params(5, 10);
  const Tensor W = weights(5, 4).to(torch::kFloat);
  const SpikeTimes in = random_times(2, 4, kSteps, 2);
  const auto single = ops::event_srm_forward(p, in, W),
             twice = ops::event_srm_forward(p, in, W.to(torch::kDouble));
  EXPECT_TRUE(torch::equal(single.sent.time, twice.sent.time));
  const Tensor g = torch::ones_like(single.slope);
  EXPECT_EQ(ops::event_srm_backward(p, in, W, single, g, false).in.scalar_type(), torch::kFloat);
}

/// Spikes, and nothing that grows with the length of the sequence.
TEST(EventSrm, KeepsSpikesNotSteps) {
  const auto p = params(5, 10);
  const Tensor W = weights(20, 4);
  const auto kept = [&](int64_t steps) {
    SpikeTimes in = random_times(4, 4, kSteps, 2);
    in.steps = steps;
    const MemoryTracker tracker;
    const auto out = ops::event_srm_forward(p, in, W);
    return std::make_pair(tracker.current(), out.slope.numel());
  };
  const auto [bytes, spikes] = kept(300);
  EXPECT_EQ(kept(300000), std::make_pair(bytes, spikes));
  EXPECT_LE(bytes, spikes * 24 + 1024);  // time, neuron and slope, and the offsets
}

TEST(EventSrm, ThreadsChangeNoBit) {
  const auto p = params(5, 10);
  const Tensor W = weights(30, 4).to(torch::kFloat);
  const SpikeTimes in = random_times(37, 4, kSteps, 3);
  const int threads = torch::get_num_threads();
  std::vector<Tensor> first;
  for (const int n : {1, 2, 5}) {
    torch::set_num_threads(n);
    const auto out = ops::event_srm_forward(p, in, W);
    const auto credit = ops::event_srm_backward(p, in, W, out, torch::ones_like(out.slope), true);
    const std::vector<Tensor> now = {out.sent.time, out.slope, credit.in, credit.time};
    if (first.empty()) first = now;
    for (size_t k = 0; k < now.size(); ++k) EXPECT_TRUE(torch::equal(now[k], first[k])) << k << ' ' << n;
  }
  torch::set_num_threads(threads);
  EXPECT_GT(first[0].numel(), 1000);
}

TEST(EventSrm, BadInput) {
  auto p = params(5, 10);
  const Tensor W = weights(3, 4);
  const SpikeTimes in = random_times(2, 4, kSteps, 2);
  const auto run = [&](const Tensor& w) {
    return message_of<UsageError>([&] { ops::event_srm_forward(p, in, w); });
  };
  EXPECT_NE(run(W.slice(1, 0, 3)).find("weights [neurons, 4]"), std::string::npos);
  EXPECT_NE(run(W * std::nan("")).find("not finite"), std::string::npos);
  EXPECT_NE(run(W * INFINITY).find("event layer: "), std::string::npos);
  const auto out = ops::event_srm_forward(p, in, W);
  EXPECT_NE(message_of<UsageError>([&] {
              ops::event_srm_backward(p, in, W, out, torch::zeros({1}, torch::kDouble), false);
            }).find("a gradient for each of the"),
            std::string::npos);
  p.max_spikes = 1;
  EXPECT_NE(run(W.abs() * 10).find("more than 1 spikes per neuron"), std::string::npos);
  p = params(5, 10, 0);
  EXPECT_NE(run(W).find("positive time constants"), std::string::npos);
}

}  // namespace spiketrain::event_srm_test
