// The solver of neurons with the rectified linear PSP against plain searches: over the prefixes of the sorted inputs, and in time steps
// that go to 0.  Its gradients against autograd of the closed form.  And its edges: nothing to do, only negative weights, inputs at one
// time, a spike at the time of an input, silence, the end of the window, late and falling, threads, bad input.
#include "spiketrain/ops/event_relpsp.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/check.h"
#include "tests/support/dense_times.h"
#include "tests/support/message.h"

namespace spiketrain::event_relpsp_test {

constexpr int64_t kSteps = 20;

cpu::RelpspParams params() {
  cpu::RelpspParams p;
  p.end = kSteps;
  return p;
}

cpu::RelpspMap dense_map(int64_t inputs, int64_t neurons) {
  cpu::RelpspMap map;
  map.channels = inputs;
  map.maps = neurons;
  return map;
}

Tensor draw(at::IntArrayRef sizes, double low, double high, uint64_t seed = 4) {
  Rng rng(seed, Purpose::test);
  const Tensor x = torch::empty(sizes, torch::kDouble);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<double>()[i] = rng.uniform(low, high);
  return x;
}

double potential(const Tensor& t_in, const Tensor& w, double t) {
  double V = 0;
  for (int64_t i = 0; i < w.numel(); ++i) {
    const double at = t_in[i].item<double>();
    if (at < t) V += w[i].item<double>() * (t - at);
  }
  return V;
}

/// One neuron, over the prefixes of its sorted inputs.
double plain_spike(const Tensor& t_in, const Tensor& w, double threshold, double end) {
  std::vector<std::pair<double, double>> inputs;
  for (int64_t i = 0; i < w.numel(); ++i) {
    if (t_in[i].item<double>() < end) inputs.emplace_back(t_in[i].item<double>(), w[i].item<double>());
  }
  std::sort(inputs.begin(), inputs.end());
  double S = 0, M = 0;
  for (size_t c = 0; c < inputs.size(); ++c) {
    S += inputs[c].second;
    M += inputs[c].second * inputs[c].first;
    const double next = c + 1 < inputs.size() ? inputs[c + 1].first : kSilent;
    const double t = (threshold + M) / S;
    if (S > 0 && t > inputs[c].first && t <= next) return t < end ? t : kSilent;
  }
  return kSilent;
}

Tensor dense(const ops::RelpspSpikes& spikes) { return dense_of(spikes.sent, spikes.sent.time, kSilent); }

void expect_same_times(const Tensor& ours, const Tensor& reference, double tolerance) {
  ASSERT_TRUE(torch::equal(ours.isinf(), reference.isinf()));
  EXPECT_LE((ours.nan_to_num(0, 0, 0) - reference.nan_to_num(0, 0, 0)).abs().max().item<double>(), tolerance);
}

/// Inputs [4, 9] of which some are silent and some at one time; weights [8, 9].
struct Layer {
  Tensor t_in = draw({4, 9}, 0, 12), W = draw({8, 9}, -0.08, 0.16, 5);
  Layer() {
    t_in[0][3] = t_in[2][1] = t_in[2][5] = kSilent;
    t_in[1][2] = t_in[1][7] = t_in[1][4];
  }
  ops::RelpspSpikes run(const cpu::RelpspParams& p) const {
    return ops::event_relpsp_forward(p, dense_map(9, 8), times_of(t_in, kSteps), W);
  }
};

TEST(EventRelpsp, FindsTheSpikesOfAPlainSearch) {
  const Layer layer;
  const Tensor ours = dense(layer.run(params()));
  Tensor plain = torch::empty_like(ours);
  for (int64_t b = 0; b < 4; ++b) {
    for (int64_t j = 0; j < 8; ++j) plain[b][j] = plain_spike(layer.t_in[b], layer.W[j], 1, kSteps);
  }
  expect_same_times(ours, plain, 1e-12);
  const auto silent = ours.isinf().sum().item<int64_t>();
  EXPECT_GT(silent, 2);
  EXPECT_LT(silent, 30);
}

/// The first step at which the membrane is no lower than the threshold comes within a step of the spike, and closer in finer steps.
TEST(EventRelpsp, TimeStepsTendToIt) {
  const Layer layer;
  const Tensor ours = dense(layer.run(params()));
  for (const int64_t per_step : {8, 64, 512}) {
    const double dt = 1.0 / static_cast<double>(per_step);
    for (int64_t b = 0; b < 2; ++b) {
      for (int64_t j = 0; j < 8; ++j) {
        double first = kSilent;
        for (int64_t k = 0; k < kSteps * per_step && first == kSilent; ++k) {
          const double t = static_cast<double>(k) * dt;
          if (potential(layer.t_in[b], layer.W[j], t) >= 1) first = t;
        }
        const double exact = ours[b][j].item<double>();
        if (exact == kSilent) {
          EXPECT_EQ(first, kSilent);
        } else if (exact + dt < kSteps && first != kSilent) {
          EXPECT_GE(first, exact - 1e-9);
          // Later only if the membrane was above the threshold for less than a step.
          if (first > exact + dt) {
            EXPECT_LT(potential(layer.t_in[b], layer.W[j], exact + dt), 1);
          }
        }
      }
    }
  }
}

/// dL/dw and dL/dt_i by autograd of (threshold + sum w t)/(sum w) on the causal sets, and the sum of dt_j/dt_i over them.
TEST(EventRelpsp, GradientsAreThoseOfTheClosedForm) {
  const Layer layer;
  const SpikeTimes in = times_of(layer.t_in, kSteps);
  const ops::RelpspSpikes spikes = layer.run(params());
  const Tensor g = draw({spikes.slope.size(0)}, -1, 1, 6);
  const ops::RelpspCredit credit =
      ops::event_relpsp_backward(params(), dense_map(9, 8), in, layer.W, spikes, {g, {}}, true);
  const Tensor W = layer.W.clone().requires_grad_(), time = in.time.clone().requires_grad_();
  Tensor loss = torch::zeros({}, torch::kDouble);
  for (int64_t b = 0; b < 4; ++b) {
    const auto first = in.offset[b].item<int64_t>();
    for (auto k = spikes.sent.offset[b].item<int64_t>(); k < spikes.sent.offset[b + 1].item<int64_t>(); ++k) {
      const auto causal = spikes.causal[k].item<int64_t>();
      const Tensor w = W[spikes.sent.index[k].item<int64_t>()].index_select(
                       0, in.index.slice(0, first, first + causal)),
                   t = (1 + (w * time.slice(0, first, first + causal)).sum()) / w.sum();
      EXPECT_NEAR(t.item<double>(), spikes.sent.time[k].item<double>(), 1e-12);
      EXPECT_NEAR(w.sum().item<double>(), spikes.slope[k].item<double>(), 1e-12);
      loss = loss + g[k] * t;
    }
  }
  loss.backward();
  EXPECT_TRUE(torch::allclose(credit.weight, W.grad(), 1e-12, 1e-12));
  EXPECT_TRUE(torch::allclose(credit.time, time.grad(), 1e-12, 1e-12));
  // A shift of all inputs shifts the spikes: the derivatives by the inputs add up to 1.
  EXPECT_NEAR(credit.time.sum().item<double>(), g.sum().item<double>(), 1e-12);
}

TEST(EventRelpsp, AShiftOfTheInputsShiftsTheSpikes) {
  Layer layer;
  const Tensor before = dense(layer.run(params()));
  layer.t_in = layer.t_in + 3;
  cpu::RelpspParams p = params();
  p.end = kSteps + 3;
  const ops::RelpspSpikes after =
      ops::event_relpsp_forward(p, dense_map(9, 8), times_of(layer.t_in, kSteps + 3), layer.W);
  expect_same_times(dense(after) - 3, before, 1e-12);
}

/// A convolution is the fully connected layer whose matrix has the kernel in its rows.
TEST(EventRelpsp, AConvolutionIsALayerWithSharedWeights) {
  for (const auto& [stride, padding] : std::vector<std::pair<int64_t, int64_t>>{{1, 0}, {2, 1}, {3, 2}}) {
    cpu::RelpspMap map = {2, 6, 5, 3, 3, stride, padding};
    const Tensor K = draw({3, 2, 3, 3}, -0.1, 0.25, 7), t_in = draw({3, 2, 6, 5}, 0, 12, 8);
    const Tensor columns = torch::im2col(torch::eye(60, torch::kDouble).view({60, 2, 6, 5}), {3, 3}, {1, 1},
                                         {padding, padding}, {stride, stride});
    // [input, c*9, place] -> [map, place, input]
    const Tensor matrix = torch::einsum("mc,icp->mpi", {K.flatten(1), columns}).flatten(0, 1).contiguous();
    ASSERT_EQ(matrix.size(0), map.neurons());
    const SpikeTimes in = times_of(t_in, kSteps);
    const ops::RelpspSpikes ours = ops::event_relpsp_forward(params(), map, in, K),
                            full = ops::event_relpsp_forward(params(), dense_map(60, matrix.size(0)), in,
                                                             matrix);
    EXPECT_GT(ours.slope.size(0), 20);
    expect_same_times(dense(ours), dense(full), 1e-12);
    EXPECT_TRUE(torch::allclose(ours.membrane, full.membrane, 1e-12, 1e-12));
    const Tensor of_neuron = draw({3, map.neurons()}, -1, 1, 9),
                 of_membrane = draw({3, map.neurons()}, -1, 1, 10);
    const auto a = ops::event_relpsp_backward(params(), map, in, K, ours,
                                              {at_spikes(ours.sent, of_neuron), of_membrane}, true);
    const auto b = ops::event_relpsp_backward(params(), dense_map(60, matrix.size(0)), in, matrix, full,
                                              {at_spikes(full.sent, of_neuron), of_membrane}, true);
    EXPECT_TRUE(torch::allclose(a.time, b.time, 1e-11, 1e-11));
    const Tensor summed = torch::einsum("mpi,icp->mc", {b.weight.view({3, -1, 60}), columns}).view_as(K);
    EXPECT_TRUE(torch::allclose(a.weight, summed, 1e-11, 1e-11));
  }
}

/// One sample, one neuron.
double spike_of(std::vector<double> t, std::vector<double> w, const cpu::RelpspParams& p = params()) {
  const auto n = static_cast<int64_t>(t.size());
  const Tensor t_in = torch::tensor(t, torch::kDouble).view({1, n}),
               W = torch::tensor(w, torch::kDouble).view({1, n});
  return dense(ops::event_relpsp_forward(p, dense_map(n, 1), times_of(t_in, kSteps), W)).item<double>();
}

TEST(EventRelpsp, Edges) {
  EXPECT_EQ(spike_of({kSilent, kSilent}, {1, 1}), kSilent);
  EXPECT_EQ(spike_of({1, 2}, {-1, -0.5}), kSilent);
  EXPECT_EQ(spike_of({1, 2}, {0.5, -0.5}), kSilent);  // a membrane that stays at 0.5
  EXPECT_EQ(spike_of({3, 3}, {2, -1}), 4);            // at one time: neither is first
  EXPECT_EQ(spike_of({3, 3}, {-1, 2}), 4);
  EXPECT_EQ(spike_of({0, 2}, {0.5, -100}), 2);  // at the time of an input that would forbid it
  EXPECT_EQ(spike_of({0, 1, 2}, {0.5, 1, -100}), 1 + 1.0 / 3);
  EXPECT_EQ(spike_of({0}, {1.0 / kSteps}), kSilent);  // at the end is too late
  EXPECT_LT(spike_of({0}, {1.0001 / kSteps}), kSteps);
  EXPECT_EQ(spike_of({kSteps, 1}, {100, 1}), 2);  // an input at the end is not heard
  EXPECT_EQ(spike_of({0, 1}, {4, 4}), 0.25);      // and once only
}

TEST(EventRelpsp, ASpikeAtTheTimeOfAnInputDoesNotReadIt) {
  const SpikeTimes in = times_of(torch::tensor({{0.0, 2.0}}, torch::kDouble), kSteps);
  const Tensor W = torch::tensor({{0.5, -100.0}}, torch::kDouble);
  const auto spikes = ops::event_relpsp_forward(params(), dense_map(2, 1), in, W);
  const auto credit = ops::event_relpsp_backward(params(), dense_map(2, 1), in, W, spikes,
                                                 {torch::ones({1}, torch::kDouble), {}}, true);
  EXPECT_TRUE(torch::equal(credit.weight, torch::tensor({{-4.0, 0.0}}, torch::kDouble)));
  EXPECT_TRUE(torch::equal(credit.time, torch::tensor({1.0, 0.0}, torch::kDouble)));
}

TEST(EventRelpsp, ASampleWithoutSpikesIsSilentAndHasNoGradient) {
  const SpikeTimes in = times_of(torch::full({2, 3}, kSilent, torch::kDouble), kSteps);
  const Tensor W = torch::ones({4, 3}, torch::kDouble);
  const auto spikes = ops::event_relpsp_forward(params(), dense_map(3, 4), in, W);
  EXPECT_EQ(spikes.sent.time.size(0), 0);
  EXPECT_TRUE(torch::equal(spikes.membrane, torch::zeros({2, 4}, torch::kDouble)));
  const auto credit =
      ops::event_relpsp_backward(params(), dense_map(3, 4), in, W, spikes,
                                 {spikes.sent.time, torch::ones({2, 4}, torch::kDouble)}, true);
  EXPECT_TRUE(torch::equal(credit.weight, torch::zeros_like(W)));
}

/// Of neurons without a threshold, and of silent ones among others.
TEST(EventRelpsp, MembranesAtTheEnd) {
  const Layer layer;
  cpu::RelpspParams p = params();
  const ops::RelpspSpikes spikes = layer.run(p);
  p.threshold = kSilent;
  p.end = 1.5 * kSteps;
  const ops::RelpspSpikes free = layer.run(p);
  EXPECT_EQ(free.slope.size(0), 0);
  for (int64_t b = 0; b < 4; ++b) {
    for (int64_t j = 0; j < 8; ++j) {
      EXPECT_NEAR(free.membrane[b][j].item<double>(), potential(layer.t_in[b], layer.W[j], 1.5 * kSteps),
                  1e-12);
      const bool silent = dense(spikes)[b][j].item<double>() == kSilent;
      EXPECT_NEAR(spikes.membrane[b][j].item<double>(),
                  silent ? potential(layer.t_in[b], layer.W[j], kSteps) : 1, 1e-12);
    }
  }
}

TEST(EventRelpsp, LateTimesSayHowMuchWasMissing) {
  const Layer layer;
  cpu::RelpspParams p = params();
  const Tensor without = dense(layer.run(p));
  p.late = 0.5;
  const ops::RelpspSpikes spikes = layer.run(p);
  EXPECT_EQ(spikes.slope.size(0), 4 * 8);
  EXPECT_EQ(spikes.late, without.isinf().sum().item<int64_t>());
  const Tensor late = kSteps * (1 + 0.5 * (1 - spikes.membrane));
  expect_same_times(dense(spikes), torch::where(without.isinf(), late, without), 1e-12);
  EXPECT_NO_THROW(spikes.sent.check());
}

TEST(EventRelpsp, FallingThreshold) {
  cpu::RelpspParams p = params();
  p.falling = true;
  // The membrane 0.02 t meets 1 - (t - 20)/20 at 200/7, in the layer's own window.
  EXPECT_NEAR(spike_of({0}, {0.02}, p), 2.0 / 0.07 - 20, 1e-12);
  EXPECT_EQ(spike_of({0}, {0.05}, p), 0);  // there at the begin
  EXPECT_EQ(spike_of({0}, {0.5}, p), 0);   // long before: it waits
  EXPECT_EQ(spike_of({0}, {-0.01}, p), kSilent);
  EXPECT_EQ(spike_of({0}, {0}, p), kSilent);  // meets 0 at the end
  EXPECT_EQ(spike_of({kSilent}, {1}, p), kSilent);
}

TEST(EventRelpsp, FloatWeightsGiveTheSpikesOfTheirValues) {
  Layer layer;
  layer.W = layer.W.to(torch::kFloat);
  const ops::RelpspSpikes single = layer.run(params());
  layer.W = layer.W.to(torch::kDouble);
  const ops::RelpspSpikes twice = layer.run(params());
  EXPECT_TRUE(torch::equal(single.sent.time, twice.sent.time));
  const Tensor g = torch::ones_like(single.slope);
  const SpikeTimes in = times_of(layer.t_in, kSteps);
  const auto a = ops::event_relpsp_backward(params(), dense_map(9, 8), in, layer.W.to(torch::kFloat), single,
                                            {g, {}}, false);
  const auto b = ops::event_relpsp_backward(params(), dense_map(9, 8), in, layer.W, twice, {g, {}}, false);
  EXPECT_EQ(a.weight.scalar_type(), torch::kFloat);
  EXPECT_FALSE(a.time.defined());
  EXPECT_TRUE(torch::equal(a.weight, b.weight.to(torch::kFloat)));
}

TEST(EventRelpsp, BitsDoNotDependOnThreads) {
  const Tensor t_in = draw({13, 40}, 0, 12), W = draw({20, 40}, -0.02, 0.04);
  const SpikeTimes in = times_of(t_in, kSteps);
  const int threads = at::get_num_threads();
  std::vector<Tensor> seen;
  for (const int n : {1, 3}) {
    at::set_num_threads(n);
    const auto spikes = ops::event_relpsp_forward(params(), dense_map(40, 20), in, W);
    const auto credit = ops::event_relpsp_backward(params(), dense_map(40, 20), in, W, spikes,
                                                   {torch::ones_like(spikes.slope), spikes.membrane}, true);
    for (const Tensor& x : {spikes.sent.time, credit.weight, credit.time}) seen.push_back(x);
  }
  at::set_num_threads(threads);
  for (size_t k = 0; k < 3; ++k) EXPECT_TRUE(torch::equal(seen[k], seen[k + 3]));
}

TEST(EventRelpsp, EarliestSpikes) {
  // Of equal times the lower element; what fills no window is ignored.
  Tensor t = torch::full({1, 1, 3, 3}, kSilent, torch::kDouble);
  t[0][0][0][1] = t[0][0][1][0] = 4;
  t[0][0][1][1] = 5;
  t[0][0][2][2] = 1;
  const SpikeTimes in = times_of(t, kSteps);
  const auto earliest = ops::earliest_spikes(in, 1, 3, 3, 2);
  ASSERT_EQ(earliest.kept.size(0), 1);
  EXPECT_EQ(in.index[earliest.kept[0].item<int64_t>()].item<int64_t>(), 1);
  EXPECT_EQ(earliest.sent.elements, 1);
  EXPECT_EQ(earliest.sent.time.item<double>(), 4);
}

TEST(EventRelpsp, BadInput) {
  const SpikeTimes in = times_of(torch::zeros({1, 3}, torch::kDouble), kSteps);
  const Tensor W = torch::ones({2, 3}, torch::kDouble);
  const auto refused = [&](const char* text, auto&& f) {
    const std::string message = message_of<UsageError>(f);
    EXPECT_NE(message.find(text), std::string::npos) << text << "\n" << message;
  };
  refused("expected spikes of 4 inputs, got 3",
          [&] { ops::event_relpsp_forward(params(), dense_map(4, 2), in, W); });
  refused("expected weights [3, 3, 1, 1]",
          [&] { ops::event_relpsp_forward(params(), dense_map(3, 3), in, W); });
  refused("does not fit maps of 1x1", [&] {
    cpu::RelpspMap map = dense_map(3, 2);
    map.kernel = 2;
    ops::event_relpsp_forward(params(), map, in, W);
  });
  refused("a window of the 20 steps", [&] {
    cpu::RelpspParams p;
    ops::event_relpsp_forward(p, dense_map(3, 2), in, W);
  });
  refused("a membrane is not finite",
          [&] { ops::event_relpsp_forward(params(), dense_map(3, 2), in, W * std::nan("")); });
  refused("expected a gradient of the spikes", [&] {
    const auto spikes = ops::event_relpsp_forward(params(), dense_map(3, 2), in, W);
    ops::event_relpsp_backward(params(), dense_map(3, 2), in, W, spikes,
                               {torch::ones({5}, torch::kDouble), {}}, true);
  });
  refused("a window that fits", [&] { ops::earliest_spikes(in, 3, 1, 1, 2); });
}

}  // namespace spiketrain::event_relpsp_test
