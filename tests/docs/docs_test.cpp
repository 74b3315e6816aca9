// The examples of docs/add-a-*.md: they are registered, do what their head comments say, and train.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/neuron_cases.h"
#include "tests/support/tiny.h"

namespace spiketrain {

RawImages parse_raw_digits(ByteSpan bytes, const std::string& path);

namespace {

/// Trains one batch on the tiny task; returns its loss and checks that every weight has moved.
double train_one_batch(const std::vector<std::string>& sets) {
  Experiment experiment = build_experiment(tiny_recipe(sets), tiny_data());
  const NamedTensors before = copy_of(network_tensors(*experiment.network));
  StopAfter observer(1);
  TrainerOptions options;
  options.observer = &observer;
  options.stop = &observer.stop;
  Trainer(experiment, options).run();
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_FALSE(torch::equal(before[i].second, network_tensors(*experiment.network)[i].second))
        << before[i].first;
  }
  return observer.losses.at(0);
}

/// Weight gradients of one pass over the tiny training data, two hidden layers and the output layer.
std::vector<Tensor> weight_gradients(const std::string& rule, int64_t steps, int64_t window) {
  const std::string name = "rule={name=\"" + rule + "\"}";
  const Recipe recipe = tiny_recipe({name, "steps=" + std::to_string(steps), "neuron={name=\"lif\"}",
                                     "network.spec=6C3-P2-8-4", "objective={name=\"mse_count\"}"});
  Experiment e = build_experiment(recipe, tiny_data());
  Loader loader(*e.data.train, {});
  loader.start(0);
  Batch batch;
  EXPECT_TRUE(loader.next(batch));
  const Signal x = e.encoder->encode(batch.x * 4, {0, steps, steps}, {});
  Pass pass = e.network->start(e.rule, true);
  for (int64_t t = 0; t < steps; t += window) {
    Network::detach(pass.state);
    const Tensor a = e.network->forward(x.slice(t, std::min(steps, t + window)), pass).dense();
    (a - 0.5).square().sum().backward();
  }
  std::vector<Tensor> gradients;
  for (const Tensor& p : e.network->parameters()) gradients.push_back(p.grad());
  return gradients;
}

TEST(Docs, NeuronOscillates) {
  const auto neuron =
      make_neuron({{"name", "resonate"}, {"damping", 0.9}, {"omega", 0.6}, {"threshold", 1e6}});
  Tensor I = torch::zeros({7, 1, 1}, torch::kDouble);
  I[0] += 1;
  const auto tape = make_tape(I, neuron->initial({1, 1}, torch::kDouble), 0, 7);
  neuron->run(*tape);
  EXPECT_NEAR(tape->out[0].item<double>(), std::pow(0.9, 7) * std::cos(7 * 0.6), 1e-14);
  EXPECT_NEAR(tape->out[1].item<double>(), std::pow(0.9, 7) * std::sin(7 * 0.6), 1e-14);
  EXPECT_EQ(tape->s.count(), 0);
}

TEST(Docs, NeuronAndRuleTrain) {
  for (const char* rule : {"bptt", "presynaptic_trace"}) {
    const std::string name = std::string("rule={name=\"") + rule + "\"}";
    const double loss = train_one_batch(
        {name, "neuron={name=\"resonate\", threshold=0.2}", "objective={name=\"mse_count\"}"});
    EXPECT_TRUE(std::isfinite(loss));
    EXPECT_GT(loss, 0);
  }
}

TEST(Docs, RuleIsExactForOneStep) {
  const auto exact = weight_gradients("bptt", 1, 1), got = weight_gradients("presynaptic_trace", 1, 1);
  ASSERT_EQ(exact.size(), 3u);
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_GT(exact[i].abs().max().item<float>(), 0);
    EXPECT_TRUE(torch::allclose(got[i], exact[i], 1e-5, 1e-7)) << i;
  }
}

TEST(Docs, RuleDoesNotDependOnTheWindow) {
  const auto whole = weight_gradients("presynaptic_trace", 5, 5),
             parts = weight_gradients("presynaptic_trace", 5, 2);
  const auto bptt = weight_gradients("bptt", 5, 5);
  ASSERT_EQ(whole.size(), 3u);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(torch::allclose(parts[i], whole[i], 1e-4, 1e-5)) << i;
    EXPECT_FALSE(torch::allclose(bptt[i], whole[i], 1e-2)) << i;
  }
}

TEST(Docs, ObjectiveTrainsAndIsZeroWithTheLead) {
  EXPECT_TRUE(std::isfinite(train_one_batch({"objective={name=\"hinge_count\"}"})));
  const auto objective = Registry<Objective>::get().make({{"name", "hinge_count"}, {"margin", 0.5}});
  objective->prepare({3, 4});
  Tensor a = torch::zeros({4, 1, 3});
  const Tensor label = torch::tensor({2}, torch::kLong);
  EXPECT_EQ(objective->loss(a, label, {0, 4}).item<float>(), 0.5F);  // two outputs, 0.5^2 each
  a.select(2, 2).slice(0, 0, 2) += 1;                                // leads by 2 of 4 steps
  EXPECT_EQ(objective->loss(a, label, {0, 4}).item<float>(), 0);
}

TEST(Docs, SynapseIsAdjoint) {
  const auto synapse = Registry<Synapse>::get().make({{"name", "per_neuron"}, {"weight_scale", 0.75}});
  EXPECT_EQ(synapse->build({2, 3}), (Shape{2, 3}));
  synapse->initialise(1, 0);
  torch::manual_seed(5);
  const Tensor W = synapse->weight(), a = torch::randn({4, 2, 2, 3}), g = torch::randn({4, 2, 2, 3});
  const double left = (g * synapse->apply({a, {}, {}}, W)).sum().item<double>();
  EXPECT_NEAR(left, (synapse->pull(g, W) * a).sum().item<double>(), 1e-5);
  EXPECT_NEAR(left, (synapse->outer(g, {a, {}, {}}) * W).sum().item<double>(), 1e-5);
}

TEST(Docs, ParserTakesWholeRecordsOnly) {
  std::vector<uint8_t> bytes(2 * 65, 7);
  EXPECT_EQ(parse_raw_digits(bytes, "x").size(), 2);
  bytes[65] = 10;
  EXPECT_THROW(parse_raw_digits(bytes, "x"), DataError);
  bytes.pop_back();
  EXPECT_THROW(parse_raw_digits(bytes, "x"), DataError);
}

}  // namespace
}  // namespace spiketrain
