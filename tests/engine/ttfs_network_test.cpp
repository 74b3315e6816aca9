// Networks in time-to-first-spike coding as part of the engine: on a tape and in one graph, with whole steps and exact times for
// input, their notation and configuration, neurons that would stay silent, and everything they refuse.
#include <gtest/gtest.h>

#include "tests/support/engine.h"
#include "tests/support/event_lists.h"
#include "tests/support/message.h"
#include "tests/support/tensors.h"

namespace spiketrain::ttfs_network_test {

constexpr int64_t kSteps = 12, kClasses = 3;

std::shared_ptr<Network> ttfs_network(Config options = Config::object(), const Shape& input = {1, 8, 8}) {
  NetworkContext context;
  context.input = input;
  context.output = {kClasses};
  if (!options.contains("spec")) options["spec"] = "4C3-P2-9-3";
  auto network = make<NetworkBuilder>("ttfs", options)->build(context);
  network->initialise(3);
  network->to(torch::kDouble);
  return network;
}

Learner learner(std::shared_ptr<Network> network, const char* objective = "first_spike_ce", bool exact = true,
                std::shared_ptr<const Schedule> schedule = {}) {
  LearnerParts parts = learner_parts(std::move(network), kSteps, objective);
  parts.encoder = make<Encoder>("latency", {{"exact", exact}});
  parts.schedule = std::move(schedule);
  return Learner(std::move(parts));
}

Batch batch() {
  Batch b = image_batch(6, 64, label_target(6, kClasses));
  b.x = b.x.view({6, 1, 8, 8});
  return b;
}

NamedTensors gradients(const Network& network) {
  NamedTensors list;
  for (const auto& item : network.named_parameters())
    list.emplace_back(item.key(), item.value().grad().clone());
  return list;
}

TEST(TtfsNetwork, APassHasTheGradientOfTheWholeGraph) {
  for (const char* readout : {"first_spike", "membrane"}) {
    const auto network = ttfs_network({{"readout", readout}, {"weight_mean", 1}});
    const Learner l = learner(network, std::string(readout) == "membrane" ? "rate_ce" : "first_spike_ce");
    Tally tally;
    const PassResult pass = l.pass(batch(), 0, {}, &tally);
    ASSERT_TRUE(network->is_chain(0));
    EXPECT_GT(tally.counts().at(0).spikes, 100);
    EXPECT_LE(tally.counts().at(0).spikes, 6 * 4 * 36);  // a neuron spikes once
    EXPECT_EQ(tally.counts().at(0).sites, kSteps * 6 * 4 * 36);
    EXPECT_GT(tally.counts().at(1).spikes, 10);
    const NamedTensors taped = gradients(*network);
    ASSERT_EQ(taped.size(), 3U);
    for (const auto& [name, g] : taped) EXPECT_GT(g.abs().max().item<double>(), 0) << name;
    network->zero_grad();
    const Tensor loss = l.exact_gradient(batch(), bptt());
    EXPECT_TRUE(torch::equal(loss, pass.loss));
    EXPECT_TRUE(same_tensors(taped, gradients(*network)));
    EXPECT_TRUE(torch::equal(l.infer(batch()).loss, pass.loss));
  }
}

TEST(TtfsNetwork, WholeStepsAreTimes) {
  const auto network = ttfs_network();
  Batch b = batch();
  b.x = torch::round(b.x * (kSteps - 1)) / (kSteps - 1);  // latencies that are whole numbers
  const PassResult steps = learner(network, "first_spike_ce", false).pass(b, 0);
  const NamedTensors of_steps = gradients(*network);
  network->zero_grad();
  const PassResult times = learner(network).pass(b, 0);
  EXPECT_NEAR(steps.loss.item<double>(), times.loss.item<double>(), 1e-12);
  for (size_t k = 0; k < of_steps.size(); ++k)
    EXPECT_TRUE(torch::allclose(of_steps[k].second, gradients(*network)[k].second, 1e-9, 1e-9));
}

TEST(TtfsNetwork, IsBuiltAgainFromItsConfiguration) {
  for (const char* form : {"fixed", "falling"}) {
    const auto network =
        ttfs_network({{"spec", "4C3s2-mp2-3"}, {"padding", "same"}, {"threshold_form", form}});
    EXPECT_EQ(network->notation(), "4C3p1s2-MP2-3");
    const auto again = Network::from_config(network->config());
    again->initialise(3);
    again->to(torch::kDouble);
    EXPECT_EQ(again->notation(), network->notation());
    EXPECT_TRUE(torch::equal(learner(again).infer(batch()).loss, learner(network).infer(batch()).loss));
  }
}

/// Sum of |dL/dw| of the first layer.
double first_gradient(const Config& options) {
  const auto network = ttfs_network(options);
  learner(network).pass(batch(), 0);
  return gradients(*network)[0].second.abs().sum().item<double>();
}

/// A network in which nothing spikes.
TEST(TtfsNetwork, SilentNeuronsAreRevived) {
  EXPECT_EQ(first_gradient({{"weight_mean", -1}, {"revive", 0}}), 0);
  EXPECT_GT(first_gradient({{"weight_mean", -1}}), 0);
  EXPECT_EQ(first_gradient({{"weight_mean", -1}, {"least_active", 0}}), 0);
}

/// The output's, which spikes in no sample.
TEST(TtfsNetwork, SilentOutputsHaveAnError) {
  for (const double late : {0.0, 1.0}) {
    const auto network =
        ttfs_network({{"spec", "3"}, {"weight_mean", 0.01}, {"weight_std", 0.01}, {"late", late}});
    const Learner l = learner(network);
    Tally tally;
    const PassResult pass = l.pass(batch(), 0, {}, &tally);
    EXPECT_EQ(tally.counts().at(0).spikes, 0);
    EXPECT_EQ(gradients(*network)[0].second.abs().max().item<double>() > 0, late > 0);
    // Without late times all count as the number of steps, and no class is preferred.
    EXPECT_EQ(pass.prediction.eq(-kSteps * kSteps).all().item<bool>(), late == 0);
  }
}

template <class F>
void expect_refusal(const char* text, F&& f) {
  const std::string message = message_of<UsageError>(f);
  EXPECT_NE(message.find(text), std::string::npos) << text << "\n" << message;
}

TEST(TtfsNetwork, RefusesTokensThatHaveNoMeaning) {
  const auto refuse = [](const char* text, const char* spec, const Shape& input = {1, 8, 8}) {
    expect_refusal(text, [&] { ttfs_network({{"spec", spec}}, input); });
  };
  refuse("comes too late for it", "9R-3");
  refuse("write P2, the earliest spike", "4C3-AP2-3");
  refuse("write P2, the earliest spike", "4C3-SP2-3");
  for (const char* spec : {"D0.5-3", "RB4-3", "SEW4-3", "3C8-GAP", "6-POP2"})
    refuse("network ttfs has convolutions, fully connected layers and pooling", spec);
  refuse("must have one neuron for each of the 3 outputs", "4C3-9");
  refuse("must end in a layer", "4C3-P2");
  refuse("needs a map [C,H,W]", "9-4C3-3");
  refuse("needs a map [C,H,W]", "P2-3", {64});
  refuse("the 9x9 kernel does not fit the map", "4C9-3");
  refuse("the 9x9 window does not fit the map", "P9-3");
  expect_refusal("needs an odd kernel size; write the padding, as in 4C4p1", [] {
    ttfs_network({{"spec", "4C4-3"}, {"padding", "same"}});
  });
  expect_refusal("use feedback transpose, not random", [] {
    NetworkContext context;
    context.input = {4};
    context.output = {10};
    context.feedback = {{"name", "random"}};
    make<NetworkBuilder>("ttfs")->build(context);
  });
  expect_refusal("expected an output of [N]", [] {
    NetworkContext context;
    context.input = {4};
    context.output = {1, 2, 2};
    make<NetworkBuilder>("ttfs")->build(context);
  });
  expect_refusal("set revive = 0", [] { make<Stage>("event_relpsp", {{"late", 1}}); });
}

TEST(TtfsNetwork, RefusesWhatWorksByStepsOrInSegments) {
  expect_refusal("reads the whole sequence at once; use schedule whole", [] {
    learner(ttfs_network(), "first_spike_ce", true, make<Schedule>("truncated", {{"window", 4}}));
  });
  expect_refusal("a cut would cross the spike times of node", [] { ttfs_network()->partition({1, 1, 1}); });
  expect_refusal("works by steps, but node 0 sends spike times", [] {
    Network network(Shape{4});
    network.add(make<Stage>("event_relpsp"), true);
    network.add(dense_layer(3, lif()), true);
  });
  expect_refusal("works by steps, but node 0 sends spike times", [] {
    Network network(Shape{1, 8, 8});
    network.add(make<Stage>("event_relpsp_conv2d"), true);
    network.add(make<Stage>("pool"), false);
  });
  expect_refusal("an event-driven layer reads spikes, got real numbers",
                 [] { Learner(learner_parts(ttfs_network(), kSteps, "first_spike_ce")).pass(batch(), 0); });
  expect_refusal("its error goes back as dL/d(spike time)", [] {
    auto network = std::make_shared<Network>(Shape{64});
    network->add(dense_layer(5, lif()), true);
    network->add(make<Stage>("event_relpsp", {{"features", kClasses}}), true);
    network->add(make<Stage>("first_spike"), false);
    network->to(torch::kDouble);
    Learner(learner_parts(network, kSteps, "first_spike_ce"))
        .pass(image_batch(6, 64, label_target(6, kClasses)), 0);
  });
  expect_refusal("regularizers act on layers that spike step by step", [] {
    LearnerParts parts = learner_parts(ttfs_network(), kSteps, "first_spike_ce");
    parts.regularizers = {make<Regularizer>("rate")};
    Learner learner(std::move(parts));
  });
  Context context;
  context.mode = Mode::train;
  for (const char* readout : {"first_spike", "membrane"}) {
    const auto one = ttfs_network({{"spec", "3"}, {"readout", readout}}, {9});
    Carry carry = one->start();
    const Signal y = one->forward(Signal::times(random_times(2, 9, kSteps, 1)), context, carry);
    expect_refusal("first derivatives only", [&] {
      torch::autograd::grad({y.values().sum()}, {one->parameters()[0]}, {}, true, /*create_graph=*/true);
    });
  }
}

/// Behind layers of another kind that send times, and before them: the forms of signal are the same.
TEST(TtfsNetwork, StandsWithOtherEventDrivenLayers) {
  auto network = std::make_shared<Network>(Shape{64});
  network->add(make<Stage>("event_lif", {{"features", 12}, {"weight_mean", 8}}), true);
  network->add(make<Stage>("event_relpsp", {{"features", 9}, {"weight_mean", 1}}), true);
  network->add(make<Stage>("event_membrane", {{"features", kClasses}}), true);
  network->initialise(4);
  network->to(torch::kDouble);
  const Learner l = learner(network, "rate_ce");
  l.pass(image_batch(6, 64, label_target(6, kClasses)), 0);
  for (const auto& [name, g] : gradients(*network)) EXPECT_GT(g.abs().max().item<double>(), 0) << name;
}

}  // namespace spiketrain::ttfs_network_test
