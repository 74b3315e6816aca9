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

/// Two inputs that spike early for 1 and late for 0, and one that always spikes early, each through six delays, as SpikeProp's synapses have
/// them.
SpikeTimes exclusive_or() {
  std::vector<EventList> samples;
  for (const int a : {0, 1}) {
    for (const int b : {0, 1}) {
      samples.emplace_back();
      for (int64_t d = 0; d < 6; ++d) {
        const double delay = 1.5 * static_cast<double>(d);
        samples.back().emplace_back(delay, 3 * d);
        samples.back().emplace_back(delay + (a ? 0 : 6), 3 * d + 1);
        samples.back().emplace_back(delay + (b ? 0 : 6), 3 * d + 2);
      }
    }
  }
  return spike_times(samples, 18, kSteps);
}

/// Trains on wanted times [4, spikes] until no output spike is further than 0.5 from its own, at most 1,500 times; returns that distance.
double train_exclusive_or(const Tensor& wanted, uint64_t seed, double weight_refractory) {
  NetworkContext context;
  context.input = {18};
  context.output = {wanted.size(1)};
  const auto network = make<NetworkBuilder>("event_srm", {{"hidden", {12}},
                                                          {"readout", "each"},
                                                          {"spikes", wanted.size(1)},
                                                          {"tau_s", 5},
                                                          {"tau_refractory", 5},
                                                          {"weight_refractory", weight_refractory},
                                                          {"weight_mean", 4},
                                                          {"weight_std", 1},
                                                          {"min_slope", 0.1}})
                           ->build(context);
  network->initialise(seed);
  network->to(torch::kDouble);
  const auto mse = make<Objective>("mse", {{"over", "window"}});
  mse->prepare({{wanted.size(1)}, kSteps, Emission::analog_values(), false, Target::Kind::values});
  torch::optim::Adam adam(network->parameters(), torch::optim::AdamOptions(0.01));
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

/// A run may end with a silent output, which gets no gradient: most must not.
int solved(const Tensor& wanted, double weight_refractory) {
  int count = 0;
  for (const uint64_t seed : {1, 2, 3, 4, 5})
    count += train_exclusive_or(wanted, seed, weight_refractory) <= 0.5;
  return count;
}

TEST(Multispike, SolvesExclusiveOrInOneSpike) {
  EXPECT_GE(solved(torch::tensor({{8.}, {11.}, {11.}, {8.}}, torch::kDouble), /*weight_refractory=*/100), 3);
}

TEST(Multispike, SolvesExclusiveOrInTrainsOfTwoSpikes) {
  EXPECT_GE(solved(torch::tensor({{8., 12.}, {11., 15.}, {11., 15.}, {8., 12.}}, torch::kDouble), 2), 3);
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
