// Event-driven layers as part of the engine: on a tape and in one graph, with whole steps and exact times for input,
// behind a block of ordinary layers, and everything they refuse.  From a recipe: train/event_training_test.cpp.
#include <gtest/gtest.h>

#include "tests/support/engine.h"
#include "tests/support/event_lists.h"
#include "tests/support/message.h"
#include "tests/support/tensors.h"

namespace spiketrain::event_network_test {

constexpr int64_t kSteps = 12, kInputs = 9, kClasses = 3;

std::shared_ptr<Network> event_network(Config options = Config::object()) {
  NetworkContext context;
  context.input = {kInputs};
  context.output = {kClasses};
  if (!options.contains("hidden")) options["hidden"] = {8, 7};
  auto network = make<NetworkBuilder>("event", options)->build(context);
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

Batch batch() { return image_batch(6, kInputs, label_target(6, kClasses)); }

NamedTensors gradients(const Network& network) {
  NamedTensors list;
  for (const auto& item : network.named_parameters())
    list.emplace_back(item.key(), item.value().grad().clone());
  return list;
}

TEST(EventNetwork, APassHasTheGradientOfTheWholeGraph) {
  for (const char* readout : {"first_spike", "membrane"}) {
    const auto network = event_network({{"readout", readout}, {"recurrent", true}, {"recurrent_std", 0.1}});
    const Learner l = learner(network, std::string(readout) == "membrane" ? "rate_ce" : "first_spike_ce");
    Tally tally;
    const PassResult pass = l.pass(batch(), 0, {}, &tally);
    ASSERT_TRUE(network->is_chain(0));
    EXPECT_GT(tally.counts().at(0).spikes, 20);
    EXPECT_EQ(tally.counts().at(0).sites, kSteps * 6 * 8);
    const NamedTensors taped = gradients(*network);
    for (const auto& [name, g] : taped) EXPECT_GT(g.abs().max().item<double>(), 0) << name;
    network->zero_grad();
    const Tensor loss = l.exact_gradient(batch(), bptt());
    EXPECT_TRUE(torch::equal(loss, pass.loss));
    EXPECT_TRUE(same_tensors(taped, gradients(*network)));
    EXPECT_TRUE(torch::equal(l.infer(batch()).loss, pass.loss));
  }
}

TEST(EventNetwork, WholeStepsAreTimes) {
  const auto network = event_network();
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

TEST(EventNetwork, IsBuiltAgainFromItsConfiguration) {
  const auto network = event_network({{"recurrent", true}, {"recurrent_std", 0.1}});
  const auto again = Network::from_config(network->config());
  again->initialise(3);
  again->to(torch::kDouble);
  EXPECT_EQ(again->notation(), "8R-7R-3");
  EXPECT_TRUE(torch::equal(learner(again).infer(batch()).loss, learner(network).infer(batch()).loss));
}

/// The first block learns by steps from its head, the event-driven one from spike times.
TEST(EventNetwork, StandsBehindABlockOfOrdinaryLayers) {
  auto network = std::make_shared<Network>(Shape{kInputs});
  network->add(dense_layer(6, lif()), true);
  network->add(make<Stage>("event_lif", {{"features", kClasses}, {"weight_mean", 8}}), true);
  network->add(make<Stage>("first_spike"), false);
  network->add(make<Stage>("scale"), true);  // an output unit, which joins the last block
  network->partition({1, 1});
  network->attach_head(0, {dense_layer(kClasses, leaky_readout())});
  network->initialise(4);
  network->to(torch::kDouble);
  const Learner l(learner_parts(network, kSteps, "first_spike_ce"));
  Batch frames = frames_batch(kSteps, 4, kInputs, label_target(4, kClasses));
  frames.x = frames.x * 2;
  l.pass(frames, 0);
  for (const auto& item : network->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
}

template <class F>
void expect_refusal(const char* text, F&& f) {
  const std::string message = message_of<UsageError>(f);
  EXPECT_NE(message.find(text), std::string::npos) << text << "\n" << message;
}

TEST(EventNetwork, Refusals) {
  expect_refusal("reads the whole sequence at once; use schedule whole", [] {
    learner(event_network(), "first_spike_ce", true, make<Schedule>("truncated", {{"window", 4}}));
  });
  expect_refusal("a cut would cross the spike times of node 0", [] { event_network()->partition({1, 1}); });
  expect_refusal("node 1 works by steps, but node 0 sends spike times", [] {
    Network network(Shape{4});
    network.add(make<Stage>("event_lif"), true);
    network.add(dense_layer(3, lif()), true);
  });
  expect_refusal("its error goes back as dL/d(spike time)", [] {
    auto network = std::make_shared<Network>(Shape{kInputs});
    network->add(dense_layer(5, lif()), true);
    network->add(make<Stage>("event_lif", {{"features", kClasses}}), true);
    network->add(make<Stage>("first_spike"), false);
    network->to(torch::kDouble);
    Learner(learner_parts(network, kSteps, "first_spike_ce")).pass(batch(), 0);
  });
  expect_refusal("an event-driven layer reads spikes, got real numbers",
                 [] { Learner(learner_parts(event_network(), kSteps, "first_spike_ce")).pass(batch(), 0); });
  expect_refusal("stage first_spike: expected spike times", [] {
    auto network = std::make_shared<Network>(Shape{kClasses});
    network->add(make<Stage>("first_spike"), true);
    LearnerParts parts = learner_parts(network, kSteps, "first_spike_ce");
    parts.encoder = make<Encoder>("latency");
    Learner(std::move(parts)).infer(image_batch(2, kClasses, label_target(2, kClasses)));
  });
  expect_refusal("spike times have no values per step", [] {
    auto network = std::make_shared<Network>(Shape{kInputs});
    network->add(make<Stage>("event_lif", {{"features", kClasses}}), true);
    network->to(torch::kDouble);
    learner(network).infer(batch());
  });
  expect_refusal("encoder latency: exact times are of the whole sequence", [] {
    make<Encoder>("latency", {{"exact", true}})->encode(batch(), {0, 2, kSteps});
  });
  expect_refusal("cannot lie between delayed edges", [] {
    Network network(Shape{4});
    network.add(make<Stage>("sum"), {{Network::kInput}, {2, 1, {4}}}, true);
    network.add(make<Stage>("event_membrane", {{"features", 4}}), true);
    network.add(dense_layer(4, lif()), true);
  });
  expect_refusal("hidden: expected sizes of at least 1", [] { event_network({{"hidden", {0}}}); });
  expect_refusal("use feedback transpose, not random", [] {
    NetworkContext context;
    context.input = {4};
    context.output = {2};
    context.feedback = {{"name", "random"}};
    make<NetworkBuilder>("event")->build(context);
  });
  const auto network = event_network();
  Context context;
  context.mode = Mode::train;
  Carry carry = network->start();
  const Signal y = network->forward(Signal::times(random_times(2, kInputs, kSteps, 2)), context, carry);
  expect_refusal("first derivatives only", [&] {
    torch::autograd::grad({y.values().sum()}, {network->parameters()[0]}, {}, true, /*create_graph=*/true);
  });
}

}  // namespace spiketrain::event_network_test
