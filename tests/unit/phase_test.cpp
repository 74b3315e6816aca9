// Phase coding: a network of phase-coded neurons is the network of ReLUs cut to as many bits, forward and backward; what cannot be
// read is refused.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/engine/learner.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::phase_test {

constexpr int64_t kBits = 6;
const Shape kIn = {2, 6, 6};
const char* const kSpec = "3C3-AP2-8-4";

Config phase_if(const std::string& form = "aligned") {
  return {{"name", "phase_if"}, {"bits", kBits}, {"form", form}};
}

struct Parts {
  Config neuron, readout, encoder;
  int64_t steps = 1;
  std::string spec = kSpec;
  Config options = Config::object(), schedule = {{"name", "whole"}};
};

Parts phase_coded(const std::string& form = "aligned") {
  const Config readout = {{"name", "phase_readout"}, {"bits", kBits}},
               encoder = {{"name", "phase"}, {"bits", kBits}};
  return {phase_if(form), readout, encoder, kBits};
}
Parts analog() {
  const Config relu = {{"name", "relu"}, {"ceiling", 1.0}, {"bits", kBits}},
               readout = {{"name", "leaky_readout"}, {"leak", 0}};
  return {relu, readout, {{"name", "direct"}}};
}

Learner learner(const Parts& p) {
  NetworkContext context = make_context(p.neuron, kIn, 4);
  context.readout = [&] { return make<Neuron>(p.readout); };
  LearnerParts parts;
  parts.network = make_spec(p.spec, context, p.options);
  exact_weights(*parts.network, 3);
  parts.network->to(torch::kDouble);
  parts.method = {bptt()};
  parts.objective = make<Objective>("rate_ce");
  parts.steps = p.steps;
  parts.encoder = make<Encoder>(p.encoder);
  parts.schedule = make<Schedule>(p.schedule);
  return Learner(std::move(parts));
}

/// Intensities cut to kBits binary digits.
Batch images() {
  torch::manual_seed(11);
  Batch batch;
  batch.x = torch::randint(0, 1 << kBits, {5, 2, 6, 6}, torch::kDouble) / (1 << kBits);
  batch.target = {Target::Kind::class_index, torch::tensor({0, 1, 2, 3, 1})};
  return batch;
}

NamedTensors gradients(const Learner& of) {
  NamedTensors list;
  for (const auto& item : of.network().named_parameters()) list.emplace_back(item.key(), item.value().grad());
  return list;
}

TEST(Phase, NetworkIsTheReluNetworkOfAsManyBitsBitForBit) {
  const Learner spiking = learner(phase_coded()), relu = learner(analog());
  const Tensor sent = spiking.infer(images()).prediction, values = relu.infer(images()).prediction;
  EXPECT_GT(values.abs().max().item<double>(), 0);
  EXPECT_GT(values.std().item<double>(), 0);
  EXPECT_TRUE(
      torch::equal(sent, values * kBits));  // the sum of what a readout sends, whose mean is the value
  // The same in float32, where these weights and values are exact, too.
  for (const Learner* one : {&spiking, &relu}) one->network().to(torch::kFloat);
  Batch single = images();
  single.x = single.x.to(torch::kFloat);
  EXPECT_TRUE(torch::equal(spiking.infer(single).prediction.to(torch::kDouble), sent));
  EXPECT_TRUE(torch::equal(relu.infer(single).prediction.to(torch::kDouble), values));
}

TEST(Phase, OneBitLessIsAnotherNetwork) {
  Parts coarse = phase_coded();
  for (Config* part : {&coarse.neuron, &coarse.readout, &coarse.encoder}) (*part)["bits"] = kBits - 1;
  coarse.steps = kBits - 1;
  const Tensor fewer = learner(coarse).infer(images()).prediction / (kBits - 1),
               all = learner(phase_coded()).infer(images()).prediction / kBits;
  EXPECT_GT((fewer - all).abs().max().item<double>(), 1e-3);
}

TEST(Phase, GradientsAreThoseOfTheReluNetwork) {
  const Learner spiking = learner(phase_coded()), relu = learner(analog());
  const Tensor a = spiking.pass(images(), 0).loss, b = relu.pass(images(), 0).loss;
  EXPECT_NEAR(a.item<double>(), b.item<double>(), 1e-12);
  const NamedTensors of_spikes = gradients(spiking), of_values = gradients(relu);
  ASSERT_EQ(of_spikes.size(), 3U);
  for (size_t k = 0; k < of_spikes.size(); ++k) {
    const Tensor want = of_values[k].second;
    EXPECT_GT(want.abs().max().item<double>(), 0) << of_spikes[k].first;
    EXPECT_LE((of_spikes[k].second - want).abs().max().item<double>(), 1e-12) << of_spikes[k].first;
  }
}

TEST(Phase, PipelinedIsAlignedAPeriodLaterPerLayer) {
  Parts late = phase_coded("pipelined");
  late.steps = 3 * kBits;  // two hidden layers
  late.schedule = {{"name", "last_steps"}, {"live", kBits}, {"predict", "scored"}};
  const Tensor prediction = learner(late).infer(images()).prediction;
  EXPECT_TRUE(torch::equal(prediction, learner(phase_coded()).infer(images()).prediction));
}

TEST(Phase, PipelinedBackpropagatesAsAligned) {
  torch::manual_seed(2);
  const auto options = torch::TensorOptions().dtype(torch::kDouble);
  const Tensor I = torch::rand({kBits, 3, 5}, options) * 2 - 0.6,
               delta = torch::randn({kBits, 3, 5}, options);
  const Tensor none = torch::zeros_like(I);
  const auto now = make_neuron(phase_if(), {5}), later = make_neuron(phase_if("pipelined"), {5});
  const Tensor g = now->vjp(*run_all(*now, I), delta, {}).g;
  const Tensor shifted = later->vjp(*run_all(*later, torch::cat({I, none})), torch::cat({none, delta}), {}).g;
  EXPECT_LE((shifted.slice(0, 0, kBits) - g).abs().max().item<double>(), 1e-14);
  EXPECT_EQ(shifted.slice(0, kBits).abs().max().item<double>(), 0);
  EXPECT_GT(g.abs().max().item<double>(), 0);
  EXPECT_TRUE(g.eq(0).all(0).any().item<bool>()) << "some sums lie outside of [0,1]";
}

TEST(Phase, BiasesCountAllButTheLastDigit) {
  Parts spiking = phase_coded(), values = analog();
  spiking.spec = values.spec = "4";
  spiking.options = values.options = {{"bias", true}};
  const Learner a = learner(spiking), b = learner(values);
  const double share = 1 - std::pow(0.5, kBits);
  for (const Learner* one : {&a, &b}) {
    const torch::NoGradGuard no_grad;
    for (auto& item : one->network().named_parameters())
      if (item.key().find("bias") != std::string::npos) item.value().fill_(one == &a ? 0.5 : 0.5 * share);
  }
  EXPECT_TRUE(torch::equal(a.infer(images()).prediction, b.infer(images()).prediction * kBits));
}

TEST(Phase, OnlineFiresWithWeights) {
  // 0.75 of a threshold of 1 in phase 0 is 0.375 and fires nothing (0.5); with the next 0.75 of phase 1, 0.1875, it is 0.5625 over 0.25.
  const auto neuron = make_neuron({{"name", "phase_if"}, {"bits", 2}}, {1});
  const auto run = run_all(*neuron, torch::full({4, 1, 1}, 0.75, torch::kDouble));
  EXPECT_TRUE(torch::equal(output_of(*run).flatten(), torch::tensor({0., 1., 1., 1.}, torch::kDouble)));
  EXPECT_NEAR(run->state[0].item<double>(), 0.75 * 1.5 - 0.25 - 0.5 - 0.25, 1e-15);
}

TEST(Phase, ReluCutsAndPassesGradients) {
  const Tensor I = torch::tensor({-0.5, 0.0, 0.3, 0.99, 1.0, 1.5}, torch::kDouble).view({1, 1, 6});
  const Tensor delta = torch::ones_like(I);
  const auto g_of = [&](const Config& config) {
    const auto neuron = make_neuron(config, {6});
    const auto run = run_all(*neuron, I);
    return std::pair(run->a.flatten(), neuron->vjp(*run, delta, {}).g.flatten());
  };
  const auto of = [](std::vector<double> values) { return torch::tensor(values, torch::kDouble); };
  const auto plain = g_of({{"name", "relu"}});
  EXPECT_TRUE(torch::equal(plain.first, of({0, 0, 0.3, 0.99, 1, 1.5})));
  EXPECT_TRUE(torch::equal(plain.second, of({0, 0, 1, 1, 1, 1})));
  const auto cut = g_of({{"name", "relu"}, {"ceiling", 1.0}, {"bits", 2}});
  EXPECT_TRUE(torch::equal(cut.first, of({0, 0, 0.25, 0.75, 0.75, 0.75})));
  EXPECT_TRUE(torch::equal(cut.second, of({0, 1, 1, 1, 1, 0})));
  EXPECT_THROW(make<Neuron>("relu", {{"bits", 4}}), UsageError);
}

TEST(Phase, WhatCannotReadTheCodeIsRefused) {
  const auto refused = [](const auto& edit) {
    Parts parts = phase_coded();
    edit(parts);
    return message_of<UsageError>([&] { learner(parts); });
  };
  const auto has = [](const std::string& text, const char* what) {
    return text.find(what) != std::string::npos;
  };
  EXPECT_TRUE(has(refused([](Parts& p) { p.neuron = {{"name", "lif"}}; }), "use neuron phase_if"));
  EXPECT_TRUE(has(refused([](Parts& p) { p.readout = {{"name", "leaky_readout"}}; }), "phase_readout"));
  EXPECT_TRUE(has(refused([](Parts& p) { p.neuron["bits"] = 5; }), "set the same bits"));
  EXPECT_TRUE(has(refused([](Parts& p) { p.steps = 7; }), "multiple of encoder.bits"));
  EXPECT_TRUE(has(refused([](Parts& p) { p.spec = "3C3-MP2-8-4"; }), "average pooling"));
  EXPECT_TRUE(has(refused([](Parts& p) { p.options = {{"norm", "bn"}}; }), "leave network.norm out"));
  EXPECT_TRUE(has(refused([](Parts& p) {
                    p.schedule = {{"name", "truncated"}, {"window", kBits / 2}};
                  }),
                  "use schedule whole"));
  EXPECT_THROW(make<Neuron>("phase_if", {{"form", "aligned"}, {"surrogate", "rect"}}), UsageError);
  Parts direct = phase_coded();  // an image is read at every step then, in phases all the same
  direct.encoder = {{"name", "direct"}};
  direct.steps = 7;
  EXPECT_TRUE(has(message_of<UsageError>([&] { learner(direct).infer(images()); }), "multiple of bits"));
}

}  // namespace spiketrain::phase_test
