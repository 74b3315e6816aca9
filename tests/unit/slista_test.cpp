// Network slista: its few-spikes form approaches the analog one as phases are added, values and gradients; what it refuses.
#include <gtest/gtest.h>

#include "spiketrain/engine/learner.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::slista_test {

constexpr double kAlpha = 2;

struct Parts {
  Config neuron = {{"name", "complex_shrink"}, {"threshold", 0.05}};
  Config readout = {{"name", "complex_shrink"}, {"threshold", 0.05}};
  Config encoder = {{"name", "direct"}};
  Config options = {{"layers", 4}, {"grid", {24}}};
  Config schedule = {{"name", "whole"}}, feedback = nullptr;
  Shape samples = {2, 9}, output = {48};
  int64_t steps = 1;
};

Parts coded(int64_t phases, const std::string& form = "aligned") {
  Parts p;
  const auto part = [&](const char* name) {
    return Config{{"name", name}, {"phases", phases}, {"alpha", kAlpha}, {"threshold", 0.05}, {"form", form}};
  };
  p.neuron = part("complex_few_spikes");
  p.readout = part("complex_few_spikes_readout");
  p.encoder = {{"name", "few_spikes"}, {"phases", phases}, {"alpha", kAlpha}};
  p.steps = phases;
  return p;
}

std::shared_ptr<Network> network_of(const Parts& p) {
  NetworkContext context;
  context.input = make<Encoder>(p.encoder)->step_shape(p.samples);
  context.output = p.output;
  context.neuron = [&p] { return make<Neuron>(p.neuron); };
  context.readout = [&p] { return make<Neuron>(p.readout); };
  context.feedback = p.feedback;
  return make<NetworkBuilder>("slista", p.options)->build(context);
}

/// With ISTA's weights, moved at random.
Learner learner(const Parts& p) {
  LearnerParts parts;
  parts.network = network_of(p);
  parts.network->to(torch::kDouble);
  parts.network->initialise(1);
  torch::manual_seed(3);
  {
    const torch::NoGradGuard no_grad;
    for (auto& item : parts.network->named_parameters())
      item.value().add_(torch::randn(item.value().sizes(), torch::kDouble) * 0.01);
  }
  parts.method = {bptt()};
  parts.objective = make<Objective>("mse", {{"over", "window"}});
  parts.steps = p.steps;
  parts.encoder = make<Encoder>(p.encoder);
  parts.schedule = make<Schedule>(p.schedule);
  parts.target = Target::Kind::values;
  return Learner(std::move(parts));
}

Batch signals() {
  torch::manual_seed(5);
  Batch batch;
  batch.x = torch::randn({6, 2, 9}, torch::kDouble) * 0.5;
  batch.target = {Target::Kind::values, torch::randn({6, 48}, torch::kDouble) * 0.3};
  return batch;
}

NamedTensors gradients(const Learner& of) {
  NamedTensors list;
  for (const auto& item : of.network().named_parameters()) list.emplace_back(item.key(), item.value().grad());
  return list;
}

double largest(const Tensor& x) { return x.abs().max().item<double>(); }

TEST(Slista, FewSpikesApproachTheAnalogNetworkPhaseByPhase) {
  const Tensor analog = learner(Parts()).infer(signals()).prediction;
  EXPECT_GT(largest(analog), 0.1);
  double before = 1e9;
  for (const int64_t phases : {2, 4, 6, 8, 12, 20}) {
    const double error = largest(learner(coded(phases)).infer(signals()).prediction - analog);
    EXPECT_LT(error, before) << phases;
    before = error;
  }
  EXPECT_LT(before, 1e-4);
}

TEST(Slista, TheSameParametersAndNearlyTheSameGradients) {
  const Learner analog = learner(Parts()), spiking = learner(coded(22));
  analog.pass(signals(), 0), spiking.pass(signals(), 0);
  const NamedTensors of_values = gradients(analog), of_spikes = gradients(spiking);
  ASSERT_EQ(of_values.size(), 4U + 3U + 4U);
  ASSERT_EQ(of_spikes.size(), of_values.size());
  for (size_t k = 0; k < of_values.size(); ++k) {
    const auto& [name, wanted] = of_values[k];
    EXPECT_EQ(of_spikes[k].first, name);
    ASSERT_EQ(of_spikes[k].second.sizes(), wanted.sizes()) << name;
    EXPECT_GT(largest(wanted), 0) << name;
    EXPECT_LT(largest(of_spikes[k].second - wanted), 2e-3 * largest(wanted)) << name;
  }
}

TEST(Slista, PipelinedGivesTheSameAfterAPeriodPerLayer) {
  const Tensor aligned = learner(coded(6)).infer(signals()).prediction;
  Parts late = coded(6, "pipelined");
  late.steps = 5 * 6;  // four layers
  late.schedule = {{"name", "last_steps"}, {"live", 6}, {"predict", "scored"}};
  EXPECT_LT(largest(learner(late).infer(signals()).prediction - aligned), 1e-12);
}

TEST(Slista, CountsAndConfiguration) {
  const auto analog = network_of(Parts()), spiking = network_of(coded(6));
  const auto rows = rows_of(*analog), coded_rows = rows_of(*spiking);
  EXPECT_EQ(rows[0].macs, 4 * 24 * 9) << "a complex product is four real ones";
  EXPECT_EQ(rows[2].macs, 4 * 24 * 24);
  EXPECT_EQ(coded_rows[2].macs, 2 * 24 * 4 * 24) << "a spike reaches the two parts of each point once";
  EXPECT_EQ(analog->parameter_count(), 4 * (2 * 24 * 9 + 1) + 3 * 2 * 24);
  for (const auto& network : {analog, spiking}) {
    network->initialise(1);
    const auto again = Network::from_config(network->config());
    again->initialise(1);
    const Tensor x = torch::rand({6, 2, network->input_shape()[0], 9});
    EXPECT_TRUE(torch::equal(evaluate(*again, Signal::dense(x)), evaluate(*network, Signal::dense(x))));
  }
}

TEST(Slista, WhatDoesNotFitIsRefused) {
  const auto refused = [](const auto& edit, const char* what) {
    Parts parts;
    edit(parts);
    const std::string text = message_of<UsageError>([&] { learner(parts); });
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  refused([](Parts& p) { p.samples = {3, 9}; }, "expected complex samples");
  refused([](Parts& p) { p.samples = {18}; }, "expected complex samples");
  refused([](Parts& p) { p.output = {10}; }, "set network.grid to the data's");
  refused([](Parts& p) { p.samples = {2, 30}; }, "as many points of the grid as samples");
  refused([](Parts& p) { p.samples = {2, 3, 3}; }, "one or two dimensions");
  refused(
      [](Parts& p) {
        p.neuron = {{"name", "relu"}};
      },
      "expected complex_shrink or complex_few_spikes, got relu");
  refused([](Parts& p) { p.readout = {{"name", "leaky_readout"}}; }, "complex_few_spikes_readout");
  Parts mixed = coded(6);
  mixed.neuron = {{"name", "complex_shrink"}};
  const std::string text = message_of<UsageError>([&] { learner(mixed); });
  EXPECT_NE(text.find("takes all alike"), std::string::npos) << text;
}

TEST(Slista, FeedbackReachesTheConvolutions) {
  Parts p;
  p.feedback = {{"name", "random"}};
  const auto network = network_of(p);
  for (int64_t k = 0; k < 4; ++k) {
    const auto& connections = layer_of(*network, std::to_string(k)).connections();
    EXPECT_EQ(connections[0].feedback, nullptr);
    EXPECT_EQ(connections.size(), k > 0 ? 2U : 1U);
    EXPECT_EQ(connections.back().feedback != nullptr, k > 0);
  }
}

}  // namespace spiketrain::slista_test
