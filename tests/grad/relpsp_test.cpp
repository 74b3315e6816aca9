// Gradients of networks in time-to-first-spike coding against central differences of the loss, in float64: every weight of a
// convolution, pooling and fully connected layers, and the times of the input; for first spike times, late ones, membranes and the
// falling threshold.  And the penalty on neurons that stay silent against its definition.
#include <gtest/gtest.h>

#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "tests/support/dense_times.h"

namespace spiketrain::relpsp_grad_test {

constexpr int64_t kSteps = 20, kBatch = 3, kOutputs = 3;
constexpr double kStep = 1e-6, kTolerance = 2e-7;

struct Case {
  const char* what;
  Config options;
  const char* objective = "first_spike_ce";
};

struct Trial {
  std::shared_ptr<Network> network;
  ObjectiveP objective;
  Target target;
  SpikeTimes input;

  explicit Trial(const Case& c) {
    NetworkContext context;
    context.input = {2, 6, 6};
    context.output = {kOutputs};
    Config options = {{"spec", "3C3p1-P2-8-3"}, {"revive", 0}, {"weight_mean", 0.5}, {"weight_std", 0.1}};
    options.update(c.options);
    network = make<NetworkBuilder>("ttfs", options)->build(context);
    network->initialise(5);
    network->to(torch::kDouble);
    auto made = make<Objective>(c.objective);
    target = {Target::Kind::class_index, torch::arange(kBatch).remainder(kOutputs)};
    made->prepare({{kOutputs}, kSteps, Emission::analog_values(), false, target.kind});
    objective = made;
    Rng rng(7, Purpose::test);
    const Tensor t = torch::empty({kBatch, 2, 6, 6}, torch::kDouble);
    for (int64_t i = 0; i < t.numel(); ++i)
      t.view(-1)[i] = rng.uniform(0, 1) < 0.3 ? kSilent : rng.uniform(0, 9);
    input = times_of(t, kSteps);
  }

  Signal run(const Tensor& time, Tally* tally = nullptr) const {
    Context context;
    context.mode = Mode::train;
    context.tally = tally;
    Carry carry = network->start();
    SpikeTimes s = input;
    s.time = time;
    return network->forward(Signal::times(s), context, carry);
  }
  Tensor loss(const Tensor& time) const { return objective->loss({run(time), {0, kSteps}, kSteps}, target); }
};

/// d(loss)/d(element) of a tensor that the loss reads, by central differences.
template <class F>
Tensor differences(const Tensor& x, const F& loss) {
  const torch::NoGradGuard no_grad;
  Tensor g = torch::empty_like(x), flat = x.view(-1);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double at = flat[i].item<double>();
    const auto shifted = [&](double by) {
      flat[i] = at + by;
      return loss();
    };
    g.view(-1)[i] = (shifted(kStep) - shifted(-kStep)) / (2 * kStep);
    flat[i] = at;
  }
  return g;
}

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_TRUE(ours.defined()) << what;
  const double scale = std::max(1.0, reference.abs().max().item<double>());
  EXPECT_GT(reference.abs().max().item<double>(), 1e-6) << what << ": nothing to compare";
  EXPECT_LE((ours - reference).abs().max().item<double>() / scale, kTolerance) << what;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"first spikes", {{"late", 0}}},
      {"late outputs", {{"weight_mean", 0.25}, {"weight_std", 0.3}, {"late", 0.5}}},
      {"a threshold of 2", {{"threshold", 2}}},
      {"membrane", {{"readout", "membrane"}}, "rate_ce"},
      {"falling threshold", {{"threshold_form", "falling"}, {"weight_mean", 0.03}, {"weight_std", 0.03}}},
      {"falling, late", {{"threshold_form", "falling"}, {"weight_mean", 0}, {"weight_std", 0.05}}},
      {"falling, membrane",
       {{"threshold_form", "falling"}, {"weight_mean", 0.03}, {"weight_std", 0.03}, {"readout", "membrane"}},
       "rate_ce"},
  };
  return list;
}

class Relpsp : public ::testing::TestWithParam<size_t> {};

TEST_P(Relpsp, IsTheDerivativeOfTheLoss) {
  const Case& c = cases()[GetParam()];
  SCOPED_TRACE(c.what);
  const Trial s(c);
  Tally tally;
  s.run(s.input.time, &tally);
  EXPECT_GT(tally.counts().at(0).spikes, 40);
  EXPECT_GT(tally.counts().at(1).spikes, 6);
  Tensor time = s.input.time.clone().requires_grad_();
  s.loss(time).backward();
  Tensor moved = s.input.time.clone();
  const auto loss = [&] { return s.loss(moved).item<double>(); };
  for (auto& item : s.network->named_parameters())
    expect_close(item.value().grad(), differences(item.value(), loss), item.key());
  expect_close(time.grad(), differences(moved, loss), "input times");
}

INSTANTIATE_TEST_SUITE_P(Cases, Relpsp, ::testing::Range(size_t{0}, cases().size()));

/// Of a layer whose neurons are silent in some samples: as if V/threshold counted for a part of a spike there.
TEST(RelpspPenalty, IsTheDerivativeOfItsDefinition) {
  constexpr double kLeast = 0.9, kRevive = 3;
  const auto stage = make<Stage>("event_relpsp", {{"features", 6},
                                                  {"weight_mean", 0.15},
                                                  {"weight_std", 0.2},
                                                  {"least_active", kLeast},
                                                  {"revive", kRevive}});
  stage->build({{5}});
  int64_t slot = 0;
  stage->assign_slots(slot);
  stage->to(torch::kDouble);
  stage->initialise(3);
  const SpikeTimes in = random_times(4, 5, kSteps, 1);
  Context context;
  context.mode = Mode::train;
  Carry carry;
  const Tensor W = stage->named_parameters()["weight"];
  const Signal out = stage->forward({Signal::times(in)}, context, carry);
  const SpikeTimes sent = out.spike_times();
  out.edge().backward(torch::zeros_like(out.edge()));

  const Tensor spiked = dense_of(sent, torch::ones_like(sent.time), 0), share = spiked.mean(0);
  ASSERT_GT(share.max().item<double>(), kLeast);  // one that is left alone
  ASSERT_LT(share.min().item<double>(), kLeast);
  Tensor reference = torch::zeros_like(W);
  for (int64_t b = 0; b < 4; ++b) {
    Tensor lag = torch::zeros({5}, torch::kDouble);  // dV/dw at the end
    for (auto k = in.offset[b].item<int64_t>(); k < in.offset[b + 1].item<int64_t>(); ++k)
      lag[in.index[k].item<int64_t>()] = kSteps - in.time[k].item<double>();
    for (int64_t j = 0; j < 6; ++j) {
      if (spiked[b][j].item<double>() > 0) continue;
      const double missing = std::max(0.0, kLeast - share[j].item<double>());
      reference[j] -= lag * (2 * kRevive * missing / (6 * 4));
    }
  }
  EXPECT_TRUE(torch::allclose(W.grad(), reference, 1e-12, 1e-12));
}

}  // namespace spiketrain::relpsp_grad_test
