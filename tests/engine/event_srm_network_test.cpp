// Event-driven spike-response layers as part of the engine: on a tape and in one graph, what the readouts show, and everything they
// refuse.  From a recipe: train/multispike_training_test.cpp.
#include <gtest/gtest.h>

#include "tests/support/engine.h"
#include "tests/support/event_lists.h"
#include "tests/support/message.h"
#include "tests/support/tensors.h"

namespace spiketrain::event_srm_network_test {

constexpr int64_t kSteps = 20, kInputs = 9, kClasses = 3;

std::shared_ptr<Network> srm_network(Config options = Config::object(), int64_t outputs = kClasses) {
  NetworkContext context;
  context.input = {kInputs};
  context.output = {outputs};
  if (!options.contains("hidden")) options["hidden"] = {8, 7};
  if (!options.contains("weight_mean")) options["weight_mean"] = 3;
  auto network = make<NetworkBuilder>("event_srm", options)->build(context);
  network->initialise(3);
  network->to(torch::kDouble);
  return network;
}

Learner learner(std::shared_ptr<Network> network, std::shared_ptr<const Schedule> schedule = {}) {
  LearnerParts parts = learner_parts(std::move(network), kSteps, "first_spike_ce");
  parts.encoder = make<Encoder>("latency", {{"exact", true}});
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

TEST(EventSrmNetwork, APassHasTheGradientOfTheWholeGraph) {
  for (const int64_t spikes : {1, 3}) {
    const auto network = srm_network({{"spikes", spikes}});
    const Learner l = learner(network);
    Tally tally;
    const PassResult pass = l.pass(batch(), 0, {}, &tally);
    ASSERT_TRUE(network->is_chain(0));
    EXPECT_GT(tally.counts().at(0).spikes, 6 * 8) << "more than one spike per neuron";
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

Tensor output(Network& network, const SpikeTimes& in) {
  const torch::NoGradGuard no_grad;
  Context context;
  Carry carry = network.start();
  return network.forward(Signal::times(in), context, carry).values();
}

/// Times of the first spikes of each neuron, side by side; missing ones at the end.
TEST(EventSrmNetwork, ReadoutsShowTheFirstSpikes) {
  auto network = std::make_shared<Network>(Shape{3});
  network->add(make<Stage>("first_spike", {{"spikes", 2}}), true);
  const SpikeTimes in = spike_times({{{1, 0}, {2, 2}, {3, 0}, {4, 0}}, {{5, 1}, {6, 1}}}, 3, kSteps);
  const Tensor shown = output(*network, in);
  EXPECT_EQ(shown.sizes(), (at::IntArrayRef{kSteps, 2, 6}));
  const Tensor expected =
      torch::tensor({{1., 3., 20., 20., 2., 20.}, {20., 20., 5., 6., 20., 20.}}, torch::kDouble);
  EXPECT_TRUE(torch::equal(shown[0], expected)) << shown[0];
  EXPECT_TRUE(torch::equal(shown[kSteps - 1], expected));

  const SpikeTimes random = random_times(4, kInputs, kSteps, 2);
  const Tensor each = output(*srm_network({{"spikes", 3}, {"readout", "each"}}, 3 * kClasses), random);
  const Tensor mean = output(*srm_network({{"spikes", 3}}), random);
  EXPECT_TRUE(torch::allclose(mean, each.unflatten(2, at::IntArrayRef({kClasses, 3})).mean(3), 0, 1e-12));
  EXPECT_TRUE(torch::equal(output(*srm_network(), random), each.slice(2, 0, 3 * kClasses, 3)));
}

/// The same spikes whether the gradient has the feedback or not; more refractoriness, fewer spikes.
TEST(EventSrmNetwork, FeedbackIsAMatterOfTheGradientAlone) {
  const auto with = srm_network(), without = srm_network({{"feedback", false}});
  const PassResult one = learner(with).pass(batch(), 0), other = learner(without).pass(batch(), 0);
  EXPECT_TRUE(torch::equal(one.loss, other.loss));
  EXPECT_FALSE(same_tensors(gradients(*with), gradients(*without)));
  const auto spikes = [&](double weight_refractory) {
    Tally tally;
    learner(srm_network({{"weight_refractory", weight_refractory}})).pass(batch(), 0, {}, &tally);
    return tally.counts().at(0).spikes;
  };
  EXPECT_GT(spikes(0.5), spikes(2));
  EXPECT_LE(spikes(1000), 6 * 8) << "one spike per neuron at most";
}

TEST(EventSrmNetwork, IsBuiltAgainFromItsConfiguration) {
  const auto network = srm_network({{"spikes", 2}, {"feedback", false}, {"tau_refractory", 3}});
  const auto again = Network::from_config(network->config());
  again->initialise(3);
  again->to(torch::kDouble);
  EXPECT_TRUE(torch::equal(learner(again).infer(batch()).loss, learner(network).infer(batch()).loss));
  EXPECT_EQ(again->config(), network->config());
}

template <class F>
void expect_refusal(const char* text, F&& f) {
  const std::string message = message_of<UsageError>(f);
  EXPECT_NE(message.find(text), std::string::npos) << text << "\n" << message;
}

TEST(EventSrmNetwork, Refusals) {
  expect_refusal("reads the whole sequence at once; use schedule whole", [] {
    learner(srm_network(), make<Schedule>("truncated", {{"window", 4}}));
  });
  expect_refusal("an event-driven layer reads spikes, got real numbers",
                 [] { Learner(learner_parts(srm_network(), kSteps, "first_spike_ce")).pass(batch(), 0); });
  expect_refusal("its error goes back as dL/d(spike time)", [] {
    auto network = std::make_shared<Network>(Shape{kInputs});
    network->add(dense_layer(5, lif()), true);
    network->add(make<Stage>("event_srm", {{"features", kClasses}}), true);
    network->add(make<Stage>("first_spike"), false);
    network->to(torch::kDouble);
    Learner(learner_parts(network, kSteps, "first_spike_ce")).pass(batch(), 0);
  });
  expect_refusal("hidden: expected sizes of at least 1", [] { srm_network({{"hidden", {0}}}); });
  expect_refusal("3 values, which is no multiple of that", [] {
    srm_network({{"readout", "each"}, {"spikes", 2}});
  });
  expect_refusal("weight_refractory", [] { srm_network({{"weight_refractory", 0}}); });
  expect_refusal("use feedback transpose, not random", [] {
    NetworkContext context;
    context.input = {4};
    context.output = {2};
    context.feedback = {{"name", "random"}};
    make<NetworkBuilder>("event_srm")->build(context);
  });
  expect_refusal("expected an output of [N]", [] {
    NetworkContext context;
    context.input = {4};
    context.output = {2, 2};
    make<NetworkBuilder>("event_srm")->build(context);
  });
  const auto network = srm_network();
  Context context;
  context.mode = Mode::train;
  Carry carry = network->start();
  const Signal y = network->forward(Signal::times(random_times(2, kInputs, kSteps, 2)), context, carry);
  expect_refusal("first derivatives only", [&] {
    torch::autograd::grad({y.values().sum()}, {network->parameters()[0]}, {}, true, /*create_graph=*/true);
  });
}

}  // namespace spiketrain::event_srm_network_test
