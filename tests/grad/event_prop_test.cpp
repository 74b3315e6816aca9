// Gradients of event-driven layers against central differences of the loss, in float64, over two hidden layers: every
// weight, recurrent ones too, and the times of the input, for first spike times and for the membrane.
#include <gtest/gtest.h>

#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "tests/support/event_lists.h"

namespace spiketrain::event_prop_grad_test {

constexpr int64_t kInputs = 5, kSteps = 40, kBatch = 3, kOutputs = 3;
constexpr uint64_t kSeed =
    12;  // of weights with which no spike grazes: the error of differences is far greater there
constexpr double kStep = 2e-6, kTolerance = 2e-8;

struct Case {
  const char* readout;
  double tau_m, tau_s;
  bool recurrent;
  const char* objective = "first_spike_ce";
};

struct Trial {
  std::shared_ptr<Network> network;
  ObjectiveP objective;
  Target target;
  SpikeTimes input;

  explicit Trial(const Case& c) {
    NetworkContext context;
    context.input = {kInputs};
    context.output = {kOutputs};
    network = make<NetworkBuilder>("event", {{"hidden", {6, 5}},
                                             {"readout", c.readout},
                                             {"recurrent", c.recurrent},
                                             {"tau_m", c.tau_m},
                                             {"tau_s", c.tau_s},
                                             {"weight_mean", 2},
                                             {"weight_std", 1.2},
                                             {"recurrent_std", 0.2},
                                             {"min_slope", 0}})
                  ->build(context);
    network->initialise(kSeed);
    network->to(torch::kDouble);
    auto made = make<Objective>(c.objective);
    const bool classes = std::string(c.objective) != "mse";
    target = {classes ? Target::Kind::class_index : Target::Kind::values,
              classes ? torch::arange(kBatch).remainder(kOutputs)
                      : torch::linspace(3, 9, kBatch * kOutputs, torch::kDouble).view({kBatch, kOutputs})};
    made->prepare({{kOutputs}, kSteps, Emission::analog_values(), false, target.kind});
    objective = made;
    input = random_times(kBatch, kInputs, kSteps, 3);
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

class EventProp : public ::testing::TestWithParam<Case> {};

TEST_P(EventProp, IsTheDerivativeOfTheLoss) {
  const Trial s(GetParam());
  Tally tally;
  s.run(s.input.time, &tally);
  int64_t spikes = 0;
  for (const Tally::Count& count : tally.counts()) spikes += count.spikes;
  EXPECT_GT(spikes, 60);
  Tensor time = s.input.time.clone().requires_grad_();
  s.loss(time).backward();
  Tensor moved = s.input.time.clone();
  const auto loss = [&] { return s.loss(moved).item<double>(); };
  for (auto& item : s.network->named_parameters())
    expect_close(item.value().grad(), differences(item.value(), loss), item.key());
  expect_close(time.grad(), differences(moved, loss), "input times");
}

INSTANTIATE_TEST_SUITE_P(
    Cases, EventProp,
    ::testing::Values(Case{"first_spike", 20, 5, false}, Case{"first_spike", 10, 5, false},
                      Case{"first_spike", 7, 7, false}, Case{"first_spike", 6, 9, true},
                      Case{"first_spike", 20, 5, true, "mse"}, Case{"membrane", 20, 5, false, "rate_ce"},
                      Case{"membrane", 7, 7, true, "rate_ce"}, Case{"membrane", 5, 8, false, "mse"}));

}  // namespace spiketrain::event_prop_grad_test
