// The PSN family under the learner: which schedules and rules it goes with, windows and segments, its norm, its draws.
#include "spiketrain/core/extras.h"
#include "spiketrain/engine/by_step.h"
#include "tests/support/engine.h"
#include "tests/support/message.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::psn_engine_test {

constexpr int64_t kSteps = 6, kBatch = 4, kIn = 5, kClasses = 3;

std::shared_ptr<Network> network_of(const Config& neuron, int64_t layers = 1) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  for (int64_t l = 0; l < layers; ++l) net->add(dense_layer(4, make<Neuron>(neuron)), /*new_unit=*/true);
  net->add(dense_layer(kClasses, leaky_readout()), /*new_unit=*/true);
  draw_weights(*net);
  const torch::NoGradGuard no_grad;
  for (auto& item : net->named_parameters()) {  // so that all layers fire
    if (item.key().find("neuron.weight") != std::string::npos)
      item.value().copy_(torch::rand(item.value().sizes(), real()) * 0.8 + 0.3);
  }
  return net;
}

Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }

const std::vector<Config> kCausal = {
    {{"name", "sliding_psn"}, {"k", 3}, {"dilation", 2}},
    {{"name", "cw_psn"}, {"k", 3}},
    {{"name", "cw_psn"}, {"k", 2}, {"dilation", 3}, {"quantizer", "power_of_two"}},
    {{"name", "masked_psn"}, {"steps", kSteps}, {"k", 3}}};

std::map<std::string, Tensor> gradients(const std::shared_ptr<Network>& net,
                                        const std::shared_ptr<Schedule>& schedule) {
  LearnerParts parts = learner_parts(net, kSteps);
  parts.schedule = schedule;
  for (auto& item : net->named_parameters()) item.value().mutable_grad() = Tensor();
  Learner(parts).pass(frames(), 0);
  std::map<std::string, Tensor> g;
  for (auto& item : net->named_parameters()) {
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
    g[item.key()] = item.value().grad().clone();
    item.value().mutable_grad() = Tensor();
  }
  return g;
}

void expect_same(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  for (const auto& [name, g] : a) {
    EXPECT_GT(g.abs().max().item<double>(), 0) << name;
    EXPECT_LE((g - b.at(name)).abs().max().item<double>(), 1e-12 * (1 + g.abs().max().item<double>()))
        << name;
  }
}

/// Gradients that are carried back from segment to segment are those of the whole.
TEST(EnginePsn, SegmentsThatAreReplayedHaveTheGradientOfTheWhole) {
  for (const Config& neuron : kCausal) {
    SCOPED_TRACE(neuron.dump());
    const auto net = network_of(neuron, 2);
    const auto whole = gradients(net, make<Schedule>("whole"));
    for (const int64_t segment : {1, 2, 4})
      expect_same(whole, gradients(net, make<Schedule>("checkpointed", {{"segment", segment}})));
  }
}

/// Windows cut gradients and carry inputs on: step by step is the whole.
TEST(EnginePsn, StepByStepIsTheWhole) {
  for (const Config& neuron : kCausal) {
    SCOPED_TRACE(neuron.dump());
    const auto net = network_of(neuron, 2);
    EXPECT_TRUE(runs_step_by_step(*net));
    LearnerParts parts = learner_parts(net, kSteps);
    const Tensor whole = evaluate(*net, Signal::dense(frames().x));
    const std::vector<Signal> steps = infer_by_step(Learner(parts).parts(), frames());
    ASSERT_EQ(steps.size(), static_cast<size_t>(kSteps));
    for (int64_t t = 0; t < kSteps; ++t)
      EXPECT_TRUE(torch::allclose(steps[static_cast<size_t>(t)].values()[0], whole[t], 0, 1e-12)) << t;
    const Tensor prediction = Learner(parts).infer(frames()).prediction;
    parts.schedule = make<Schedule>("truncated", {{"window", 2}});
    EXPECT_TRUE(torch::allclose(Learner(parts).infer(frames()).prediction, prediction, 0, 1e-12));
  }
}

std::string refusal(const LearnerParts& parts) {
  return message_of<UsageError>([&] { const Learner learner(parts); });
}

TEST(EnginePsn, WholeSequencesAreRefusedInParts) {
  for (const Config& neuron : {Config{{"name", "psn"}, {"steps", kSteps}},
                               Config{{"name", "masked_psn"}, {"steps", kSteps}, {"mask", 0.5}}}) {
    LearnerParts parts = learner_parts(network_of(neuron), kSteps);
    EXPECT_NO_THROW(Learner(parts).pass(frames(), 0));
    EXPECT_FALSE(runs_step_by_step(*parts.network));
    for (const char* schedule : {"truncated", "checkpointed", "random_steps"}) {
      parts.schedule = make<Schedule>(schedule);
      const std::string message = refusal(parts);
      EXPECT_NE(message.find("reads the whole sequence at once; use schedule whole"), std::string::npos)
          << message;
      EXPECT_NE(message.find(neuron["name"].get<std::string>()), std::string::npos) << message;
    }
  }
}

TEST(EnginePsn, RulesThatNeedAMembraneInTimeAreRefused) {
  for (const Config& neuron : kCausal) {
    LearnerParts parts = learner_parts(network_of(neuron), kSteps);
    parts.method.layers[0] = make<Rule>("tssl_bp");
    EXPECT_NE(
        refusal(parts).find("reads a PSP output, which neuron '" + neuron["name"].get<std::string>() + "'"),
        std::string::npos)
        << refusal(parts);
    parts.method.layers[0] = make<Rule>("sltt");
    EXPECT_NE(refusal(parts).find("gives a neuron's own parameters no gradient"), std::string::npos)
        << refusal(parts);
  }
}

TEST(EnginePsn, AnotherNumberOfStepsIsAnError) {
  for (const Config& neuron :
       {Config{{"name", "psn"}, {"steps", 7}}, Config{{"name", "masked_psn"}, {"steps", 5}}}) {
    const Learner learner(learner_parts(network_of(neuron), kSteps));
    const std::string message = message_of<UsageError>([&] { learner.pass(frames(), 0); });
    EXPECT_NE(message.find("set neuron.steps to the recipe's steps"), std::string::npos) << message;
  }
}

/// The norm's statistics move in training, and neither in evaluation nor when a segment is computed again.
TEST(EnginePsn, NormFollowsTheMode) {
  const Config neuron = {{"name", "cw_psn"}, {"k", 2}, {"norm", "batch"}};
  const auto net = network_of(neuron);
  const auto buffers = [&] {
    std::vector<Tensor> copies;
    for (const auto& item : net->named_buffers()) copies.push_back(item.value().clone());
    return copies;
  };
  const auto same = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i)
      if (!torch::equal(a[i], b[i])) return false;
    return true;
  };
  const auto start = buffers();
  ASSERT_EQ(start.size(), 2U);
  const Learner learner(learner_parts(net, kSteps));
  const Tensor first = learner.infer(frames()).prediction;
  EXPECT_TRUE(same(buffers(), start));
  const Tensor trained = learner.pass(frames(), 0).prediction;
  const auto moved = buffers();
  EXPECT_FALSE(same(moved, start));
  EXPECT_FALSE(torch::equal(trained, first));

  NormStatistics statistics(*net, true);
  statistics.remember();
  learner.pass(frames(), 0);
  EXPECT_FALSE(same(buffers(), moved));
  statistics.restore();
  EXPECT_TRUE(same(buffers(), moved));

  // One segment that is computed twice moves them once, and has the gradient of the whole.
  const auto whole = gradients(net, make<Schedule>("whole"));
  const auto after = buffers();
  statistics.restore();
  expect_same(whole, gradients(net, make<Schedule>("checkpointed", {{"segment", kSteps}})));
  EXPECT_TRUE(same(buffers(), after));

  for (const auto& node : net->nodes()) {
    const auto layer = std::dynamic_pointer_cast<Layer>(node.stage);
    if (auto* normed = dynamic_cast<NormedNeuron*>(layer->neuron().get())) normed->frozen = true;
  }
  const Tensor frozen = learner.pass(frames(), 0).prediction;
  EXPECT_TRUE(same(buffers(), after));
  EXPECT_TRUE(torch::equal(frozen, learner.infer(frames()).prediction));
}

TEST(EnginePsn, NormIsRefusedWhereStepsRunApart) {
  const Config neuron = {{"name", "cw_psn"}, {"k", 2}, {"norm", "batch"}};
  LearnerParts parts = learner_parts(network_of(neuron), kSteps);
  parts.schedule = make<Schedule>("skipper", {{"segment", 3}, {"mode", "mask"}});
  EXPECT_NE(refusal(parts).find("has a norm, whose statistics over single runs"), std::string::npos);
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(4), linear(4)}, make<Neuron>(neuron)),
           {{Network::kInput}, {0, 1}}, true);
  EXPECT_NE(refusal(learner_parts(net, kSteps)).find("a recurrent layer runs one step at a time"),
            std::string::npos);
}

TEST(EnginePsn, ShapesTheSameNetworkFromItsConfig) {
  for (const Config& neuron : kCausal) {
    const auto net = network_of(neuron);
    const auto again = Network::from_config(net->config());
    again->to(torch::kDouble);
    const torch::NoGradGuard no_grad;
    const auto from = net->named_parameters();
    for (auto& item : again->named_parameters()) item.value().copy_(from[item.key()]);
    EXPECT_TRUE(torch::equal(Learner(learner_parts(again, kSteps)).infer(frames()).prediction,
                             Learner(learner_parts(net, kSteps)).infer(frames()).prediction));
  }
}

TEST(EnginePsn, DrawsFollowSeedAndLayer) {
  const auto weights = [](uint64_t seed) {
    const auto net = network_of({{"name", "psn"}, {"steps", kSteps}}, 2);
    net->initialise(seed);
    const auto named = net->named_parameters();
    return std::vector<Tensor>{named["0.neuron.weight"].clone(), named["1.neuron.weight"].clone()};
  };
  const auto a = weights(1), b = weights(1), c = weights(2);
  EXPECT_TRUE(torch::equal(a[0], b[0]));
  EXPECT_FALSE(torch::equal(a[0], a[1]));
  EXPECT_FALSE(torch::equal(a[0], c[0]));
  EXPECT_LE(a[0].abs().max().item<double>(), 1 / std::sqrt(static_cast<double>(kSteps)));
}

}  // namespace spiketrain::psn_engine_test
