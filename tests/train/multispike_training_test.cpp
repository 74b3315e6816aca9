// Event-driven spike-response layers learn: exclusive or in spike times, one spike or a train of two, and from a recipe.
#include <gtest/gtest.h>
#include <torch/optim/adam.h>

#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "tests/support/event_lists.h"
#include "tests/support/event_settings.h"
#include "tests/support/tiny.h"

namespace spiketrain::multispike_training_test {

constexpr int64_t kSteps = 30;

/// Two inputs that spike early for 1 and late for 0, and one that always spikes first.
SpikeTimes exclusive_or() {
  std::vector<EventList> samples;
  for (const int a : {0, 1})
    for (const int b : {0, 1}) samples.push_back({{0, 0}, {a ? 0 : 6, 1}, {b ? 0 : 6, 2}});
  return spike_times(samples, 3, kSteps);
}

/// Largest distance of an output spike from its wanted time after training on wanted times [4, spikes].
double train_exclusive_or(const Tensor& wanted, uint64_t seed, bool feedback) {
  NetworkContext context;
  context.input = {3};
  context.output = {wanted.size(1)};
  const auto network = make<NetworkBuilder>("event_srm", {{"hidden", {8}},
                                                          {"readout", "each"},
                                                          {"spikes", wanted.size(1)},
                                                          {"tau_s", 5},
                                                          {"tau_refractory", 5},
                                                          {"weight_refractory", 1},
                                                          {"weight_mean", 2},
                                                          {"weight_std", 1},
                                                          {"feedback", feedback},
                                                          {"min_slope", 0.1}})
                           ->build(context);
  network->initialise(seed);
  network->to(torch::kDouble);
  const auto mse = make<Objective>("mse", {{"over", "window"}});
  mse->prepare({{wanted.size(1)}, kSteps, Emission::analog_values(), false, Target::Kind::values});
  torch::optim::Adam adam(network->parameters(), torch::optim::AdamOptions(0.02));
  const SpikeTimes in = exclusive_or();
  Context mode;
  mode.mode = Mode::train;
  double distance = 1e9;
  for (int i = 0; i < 1500 && distance > 0.5; ++i) {
    Carry carry = network->start();
    const Signal y = network->forward(Signal::times(in), mode, carry);
    distance = (y.values()[0].detach() - wanted).abs().max().item<double>();
    adam.zero_grad();
    mse->loss({y, {0, kSteps}, kSteps}, {Target::Kind::values, wanted}).backward();
    adam.step();
  }
  return distance;
}

TEST(Multispike, SolvesExclusiveOrInOneSpike) {
  const Tensor wanted = torch::tensor({{10.}, {14.}, {14.}, {10.}}, torch::kDouble);
  int solved = 0;
  for (const uint64_t seed : {1, 2, 3}) solved += train_exclusive_or(wanted, seed, true) <= 0.5;
  EXPECT_GE(solved, 2);
}

TEST(Multispike, SolvesExclusiveOrInTrainsOfTwoSpikes) {
  const Tensor wanted = torch::tensor({{9., 15.}, {12., 19.}, {12., 19.}, {9., 15.}}, torch::kDouble);
  int solved = 0;
  for (const uint64_t seed : {1, 2, 3}) solved += train_exclusive_or(wanted, seed, true) <= 0.5;
  EXPECT_GE(solved, 2);
}

TEST(Multispike, ARecipeLearns) {
  for (const char* spikes : {"1", "2"}) {
    std::vector<std::string> sets = event_settings("first_spike", "first_spike_ce");
    for (std::string& set : sets)
      if (set.rfind("network=", 0) == 0)
        set =
            str("network={name=\"event_srm\",hidden=[20],tau_s=3,weight_mean=4,weight_std=2,spikes=", spikes,
                "}");
    sets.emplace_back("epochs=12");
    Experiment experiment = tiny_experiment(sets);
    EXPECT_TRUE(experiment.training.caveats.empty());
    LossRecorder recorder;
    TrainerOptions options;
    options.observers = {&recorder};
    Trainer(experiment.training, options).run();
    ASSERT_GE(recorder.losses.size(), 8U);
    EXPECT_LT(recorder.losses.back(), 0.7 * recorder.losses.front()) << spikes;
  }
}

}  // namespace spiketrain::multispike_training_test
