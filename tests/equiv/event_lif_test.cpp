// The event-driven solver against a plain search: the membrane written down as a sum over all spikes so far, looked at
// on a fine grid of times and bisected where it reaches the threshold.  And its edges: nothing to do, touches, spikes at
// one time, grazing, what it keeps, threads, bad input.
#include "spiketrain/ops/event_lif.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/ops/memory_tracker.h"
#include "tests/support/event_lists.h"
#include "tests/support/message.h"

namespace spiketrain::event_lif_test {

constexpr int64_t kSteps = 30;

/// Membrane after a jump of the current by 1, a time s ago.
double psp(double tau_m, double tau_s, double s) {
  if (s <= 0) return 0;
  if (tau_m == tau_s) return s / tau_m * std::exp(-s / tau_m);
  const long double m = tau_m, c = tau_s;  // where the two are close, the difference cancels
  return static_cast<double>((std::exp(-s / m) - std::exp(-s / c)) * c / (m - c));
}

/// One sample by brute force.
class PlainSearch {
 public:
  PlainSearch(const cpu::EventLifParams& p, const Tensor& W, const Tensor& V, const EventList& in)
      : p_(p), W_(W.to(torch::kDouble)), V_(V.defined() ? V.to(torch::kDouble) : V), in_(in) {
    resets_.assign(static_cast<size_t>(W.size(0)), 0);
  }
  EventList run() {
    constexpr double grid = 1.0 / 128;
    for (double t = 0; t < static_cast<double>(kSteps);) {
      const double next = t + grid;
      std::pair<double, int64_t> first = {next, -1};
      for (int64_t n = 0; n < W_.size(0); ++n) {
        if (membrane(n, next) < p_.threshold) continue;
        double low = t, high = next;
        for (int i = 0; i < 60; ++i) {
          const double middle = 0.5 * (low + high);
          (membrane(n, middle) < p_.threshold ? low : high) = middle;
        }
        if (high < first.first) first = {high, n};
      }
      t = first.first;
      if (first.second < 0) continue;
      sent_.push_back(first);
      resets_[static_cast<size_t>(first.second)] = t;
    }
    return sent_;
  }

 private:
  static double entry(const Tensor& M, int64_t n, int64_t i) {
    return M.data_ptr<double>()[n * M.stride(0) + i * M.stride(1)];
  }
  /// V after its reset at time r: what each jump adds to the current, and that is left of it at r.
  double membrane(int64_t n, double t) const {
    const double r = resets_[static_cast<size_t>(n)];
    double v = 0;
    const auto add = [&](double at, double w) {
      if (at >= t) return;
      v += at >= r ? w * psp(p_.tau_m, p_.tau_s, t - at)
                   : w * std::exp(-(r - at) / p_.tau_s) * psp(p_.tau_m, p_.tau_s, t - r);
    };
    for (const auto& [at, i] : in_) add(at, entry(W_, n, i));
    if (V_.defined()) {
      for (const auto& [at, m] : sent_) add(at, entry(V_, n, m));
    }
    return v;
  }

  cpu::EventLifParams p_;
  Tensor W_, V_;
  EventList in_, sent_;
  std::vector<double> resets_;
};

cpu::EventLifParams params(double tau_m, double tau_s) {
  cpu::EventLifParams p;
  p.tau_m = tau_m;
  p.tau_s = tau_s;
  return p;
}

/// All inputs together raise the membrane well above the threshold.
Tensor weights(int64_t neurons, int64_t inputs, const cpu::EventLifParams& p, double mean = 2.5) {
  torch::manual_seed(4);
  const Tensor W = torch::rand({neurons, inputs}, torch::kDouble) * 2 - 0.5;
  return W * (mean / (0.5 * cpu::event_peak(p) * static_cast<double>(inputs)));
}

EventList list_of(const SpikeTimes& s, int64_t b = 0) {
  EventList list;
  for (auto k = s.offset[b].item<int64_t>(); k < s.offset[b + 1].item<int64_t>(); ++k)
    list.emplace_back(s.time[k].item<double>(), s.index[k].item<int64_t>());
  return list;
}

TEST(EventLif, FindsTheSpikesOfAPlainSearch) {
  const std::vector<std::pair<double, double>> constants = {{20, 5},       {10, 5}, {6, 6},
                                                            {6, 6.000001}, {4, 9},  {3, 300}};
  int64_t spikes = 0;
  for (const auto& [tau_m, tau_s] : constants) {
    for (const bool recurrent : {false, true}) {
      SCOPED_TRACE(testing::Message() << tau_m << ' ' << tau_s << ' ' << recurrent);
      const auto p = params(tau_m, tau_s);
      const Tensor W = weights(3, 4, p, tau_s > 100 ? 0.3 : 2.5);
      const Tensor V = recurrent ? weights(3, 3, p, tau_s > 100 ? 0.01 : -0.2) : Tensor();
      const SpikeTimes in = random_times(1, 4, kSteps, 2);
      const EventList ours = list_of(ops::event_lif_forward(p, in, W, V).sent);
      const EventList plain = PlainSearch(p, W, V, list_of(in)).run();
      ASSERT_EQ(ours.size(), plain.size());
      for (size_t k = 0; k < ours.size(); ++k) {
        EXPECT_NEAR(ours[k].first, plain[k].first, 1e-9);
        EXPECT_EQ(ours[k].second, plain[k].second);
      }
      spikes += static_cast<int64_t>(ours.size());
    }
  }
  EXPECT_GT(spikes, 60);
}

TEST(EventLif, FloatWeightsGiveTheSpikesOfTheirValues) {
  const auto p = params(20, 5);
  const Tensor W = weights(5, 4, p).to(torch::kFloat);
  const SpikeTimes in = random_times(2, 4, kSteps, 2);
  const auto single = ops::event_lif_forward(p, in, W, {});
  const auto twice = ops::event_lif_forward(p, in, W.to(torch::kDouble), {});
  EXPECT_TRUE(torch::equal(single.sent.time, twice.sent.time));
  const Tensor g = torch::ones_like(single.current);
  const Tensor g_W = ops::event_lif_backward(p, in, W, {}, single, g, false).in;
  EXPECT_EQ(g_W.scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::equal(
      g_W, ops::event_lif_backward(p, in, W.to(torch::kDouble), {}, twice, g, false).in.to(torch::kFloat)));
}

/// Integral over each step by a fine rule of trapezoids.
TEST(EventLif, MembraneIsTheIntegralOverEachStep) {
  for (const auto& [tau_m, tau_s] : std::vector<std::pair<double, double>>{{20, 5}, {6, 6}, {4, 9}}) {
    const auto p = params(tau_m, tau_s);
    const Tensor W = weights(2, 4, p);
    const SpikeTimes in = random_times(1, 4, 8, 2);
    const Tensor a = ops::event_membrane_forward(p, in, W);
    constexpr int fine = 2000;
    for (int64_t t = 0; t < 8; ++t) {
      double sum = 0;
      for (int i = 0; i <= fine; ++i) {
        double v = 0;
        for (const auto& [at, j] : list_of(in))
          v += W[1][j].item<double>() * psp(tau_m, tau_s, static_cast<double>(t) + i / double{fine} - at);
        sum += (i == 0 || i == fine ? 0.5 : 1.0) * v / fine;
      }
      EXPECT_NEAR(a[t][0][1].item<double>(), sum, 1e-5 * (1 + std::abs(sum)));
    }
  }
}

TEST(EventLif, NothingArrives) {
  const auto p = params(20, 5);
  const SpikeTimes in = spike_times({{}, {}}, 4, kSteps);
  const Tensor W = weights(3, 4, p), V = weights(3, 3, p);
  const auto out = ops::event_lif_forward(p, in, W, V);
  EXPECT_EQ(out.sent.time.numel(), 0);
  EXPECT_EQ(out.sent.batch(), 2);
  const auto credit = ops::event_lif_backward(p, in, W, V, out, torch::zeros({0}, torch::kDouble), true);
  EXPECT_EQ(credit.in.abs().sum().item<double>(), 0);
  EXPECT_EQ(credit.recurrent.sizes(), V.sizes());
  EXPECT_EQ(credit.time.numel(), 0);
  EXPECT_EQ(ops::event_membrane_forward(p, in, W).abs().sum().item<double>(), 0);
}

TEST(EventLif, SpikesAtOneTimeAddUpInAnyOrder) {
  const auto p = params(20, 5);
  const Tensor W = weights(3, 4, p), together = W.sum(1, /*keepdim=*/true);
  const auto apart =
      ops::event_lif_forward(p, spike_times({{{2, 0}, {2, 1}, {2, 2}, {2, 3}}}, 4, kSteps), W, {});
  const auto single = ops::event_lif_forward(p, spike_times({{{2, 0}}}, 1, kSteps), together, {});
  ASSERT_GT(apart.sent.time.numel(), 0);
  EXPECT_TRUE(torch::allclose(apart.sent.time, single.sent.time, 0, 1e-12));
}

TEST(EventLif, OfEqualNeuronsTheLowerIndexComesFirst) {
  const auto p = params(20, 5);
  const Tensor W = torch::full({3, 1}, 3 / cpu::event_peak(p), torch::kDouble);
  const EventList sent = list_of(ops::event_lif_forward(p, spike_times({{{1, 0}}}, 1, kSteps), W, {}).sent);
  ASSERT_GE(sent.size(), 3U);
  for (size_t k = 0; k < sent.size(); ++k) {
    EXPECT_EQ(sent[k].second, static_cast<int64_t>(k % 3));
    EXPECT_EQ(sent[k].first, sent[k - k % 3].first);
  }
}

TEST(EventLif, WhatArrivesAtTheEndIsIgnored) {
  const auto p = params(20, 5);
  const Tensor W = weights(3, 4, p);
  const SpikeTimes in = spike_times({{{1, 0}, {2, 1}, {3, 2}}}, 4, kSteps);
  SpikeTimes more = spike_times({{{1, 0}, {2, 1}, {3, 2}, {kSteps, 3}, {kSteps + 5, 0}}}, 4, kSteps);
  const auto out = ops::event_lif_forward(p, in, W, {}), same = ops::event_lif_forward(p, more, W, {});
  EXPECT_TRUE(torch::equal(out.sent.time, same.sent.time));
  const auto credit = ops::event_lif_backward(p, more, W, {}, same, torch::ones_like(same.current), true);
  EXPECT_EQ(credit.time[3].item<double>(), 0);
  EXPECT_EQ(credit.time[4].item<double>(), 0);
}

/// Just below and just above the weight with which the membrane touches the threshold.
TEST(EventLif, ATouchIsNoCrossingAndAGrazeIsClipped) {
  for (const double tau_m : {20.0, 10.0, 5.0}) {
    auto p = params(tau_m, 5);
    const SpikeTimes in = spike_times({{{1, 0}}}, 1, 60);
    const double touch = 1 / cpu::event_peak(p);
    const auto spikes = [&](double w) {
      return ops::event_lif_forward(p, in, torch::full({1, 1}, w, torch::kDouble), {});
    };
    EXPECT_EQ(spikes(touch * (1 - 1e-12)).current.numel(), 0);
    const auto graze = spikes(touch * (1 + 1e-8));
    ASSERT_EQ(graze.current.numel(), 1);
    const double slope = graze.current[0].item<double>() - 1;
    EXPECT_GT(slope, 0);
    EXPECT_LT(slope, 1e-3);
    const auto gradient = [&](double min_slope) {
      p.min_slope = min_slope;
      const Tensor W = torch::full({1, 1}, touch * (1 + 1e-8), torch::kDouble);
      return ops::event_lif_backward(p, in, W, {}, graze, torch::ones({1}, torch::kDouble), false)
          .in.item<double>();
    };
    EXPECT_NEAR(gradient(0) * slope, gradient(0.1) * 0.1, 1e-9 * std::abs(gradient(0.1)));
  }
}

/// Spikes, and nothing that grows with the length of the sequence.
TEST(EventLif, KeepsSpikesNotSteps) {
  const auto p = params(20, 5);
  const Tensor W = weights(20, 4, p);
  const auto peak = [&](int64_t steps, int64_t each) {
    SpikeTimes in = random_times(4, 4, kSteps, each);
    in.steps = steps;
    const MemoryTracker tracker;
    const auto out = ops::event_lif_forward(p, in, W, {});
    EXPECT_EQ(out.current.numel(), out.sent.time.numel());
    const int64_t spikes = out.current.numel(), kept = tracker.current();
    ops::event_lif_backward(p, in, W, {}, out, torch::ones_like(out.current), true);
    return std::make_tuple(tracker.peak(), kept, spikes);
  };
  const auto [shorter, kept, spikes] = peak(300, 2);
  const auto [longer, kept_long, as_many] = peak(300000, 2);
  ASSERT_EQ(spikes, as_many);
  EXPECT_EQ(shorter, longer);
  EXPECT_EQ(kept, kept_long);
  EXPECT_LE(kept, spikes * 24 + 1024);  // time, neuron and current, and the offsets
}

TEST(EventLif, ThreadsChangeNoBit) {
  const auto p = params(20, 5);
  const Tensor W = weights(30, 4, p).to(torch::kFloat), V = weights(30, 30, p, -0.3).to(torch::kFloat);
  const SpikeTimes in = random_times(37, 4, kSteps, 3);
  const int threads = torch::get_num_threads();
  std::vector<Tensor> first;
  for (const int n : {1, 2, 5}) {
    torch::set_num_threads(n);
    const auto out = ops::event_lif_forward(p, in, W, V);
    const auto credit = ops::event_lif_backward(p, in, W, V, out, torch::ones_like(out.current), true);
    const Tensor a = ops::event_membrane_forward(p, in, W);
    const auto readout = ops::event_membrane_backward(p, in, W, torch::ones_like(a), true);
    const std::vector<Tensor> now = {out.sent.time, out.current, credit.in,  credit.recurrent,
                                     credit.time,   a,           readout.in, readout.time};
    if (first.empty()) first = now;
    for (size_t k = 0; k < now.size(); ++k) EXPECT_TRUE(torch::equal(now[k], first[k])) << k << ' ' << n;
  }
  torch::set_num_threads(threads);
  EXPECT_GT(first[0].numel(), 1000);
}

TEST(SpikeTimes, OfStepsRepeatCounts) {
  Tensor bytes = torch::zeros({3, 2, 2, 2}, torch::kUInt8);
  bytes[1][0][1][0] = 2;
  bytes[2][0][0][1] = 1;
  bytes[0][1][1][1] = 1;
  const SpikeTimes s = SpikeTimes::from_steps(bytes);
  s.check();
  EXPECT_EQ(s.elements, 4);
  EXPECT_EQ(s.steps, 3);
  EXPECT_EQ(list_of(s, 0), (EventList{{1, 2}, {1, 2}, {2, 1}}));
  EXPECT_EQ(list_of(s, 1), (EventList{{0, 3}}));
}

TEST(EventLif, BadInput) {
  auto p = params(20, 5);
  const Tensor W = weights(3, 4, p);
  const SpikeTimes in = random_times(2, 4, kSteps, 2);
  const auto run = [&](const SpikeTimes& s, const Tensor& w, const Tensor& v = {}) {
    return message_of<UsageError>([&] { ops::event_lif_forward(p, s, w, v); });
  };
  SpikeTimes bad = in;
  bad.time = in.time.flip(0);
  EXPECT_NE(run(bad, W).find("that rise"), std::string::npos);
  bad = in;
  bad.time = in.time.clone();
  bad.time[0] = std::nan("");
  EXPECT_NE(run(bad, W).find("that rise"), std::string::npos);
  bad = in;
  bad.index = in.index + 1;
  EXPECT_NE(run(bad, W).find("an index from 0 to 3"), std::string::npos);
  bad = in;
  bad.time = in.time.to(torch::kFloat);
  EXPECT_NE(run(bad, W).find("times [n] double"), std::string::npos);
  EXPECT_NE(run(in, W.slice(1, 0, 3)).find("weights [neurons, 4]"), std::string::npos);
  EXPECT_NE(run(in, W, W).find("recurrent weights [3, 3]"), std::string::npos);
  EXPECT_NE(run(in, W * std::nan("")).find("not finite"), std::string::npos);
  p.max_spikes = 1;
  EXPECT_NE(run(in, W * 10).find("more than 1 spikes per neuron"), std::string::npos);
  p = params(0, 5);
  EXPECT_NE(run(in, W).find("positive time constants"), std::string::npos);
}

}  // namespace spiketrain::event_lif_test
