// The parts of tandem learning one by one: what they compute, and what they refuse.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/rng.h"
#include "spiketrain/recipe/tandem_network.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/neuron_cases.h"
#include "tests/support/tiny.h"

namespace spiketrain::tandem_parts_test {

Target label_target(int64_t B, int64_t classes) {
  return {Target::Kind::class_index, torch::arange(B).remainder(classes)};
}

/// 20,000 charges at the first step.
TEST(TandemParts, AnIntegratorCountsAChargeAtTheFirstStep) {
  constexpr int64_t T = 6, kNeurons = 20000;
  constexpr double kTheta = 0.375;
  const auto neuron = make_neuron({{"name", "if"}, {"threshold", kTheta}}, {kNeurons});
  Tensor I = torch::zeros({T, 1, kNeurons}, torch::kDouble);
  Rng rng(1, Purpose::test, 0);
  auto* a = I.data_ptr<double>();
  for (int64_t i = 0; i < kNeurons; ++i) a[i] = 4 * rng.uniform() - 1;
  const Tensor count = output_of(*run_all(*neuron, I)).sum(0);
  const Tensor wanted = torch::floor(I[0] / kTheta).clamp(0, T);
  EXPECT_TRUE(torch::equal(count.to(torch::kDouble), wanted));
  EXPECT_EQ(wanted.min().item<double>(), 0);
  EXPECT_EQ(wanted.max().item<double>(), T);
}

TEST(TandemParts, CountReluSendsItsSumAtTheFirstStep) {
  const auto neuron = make_neuron({{"name", "count_relu"}}, {2});
  const Tensor I = torch::tensor({1.0, -2.0, 3.0, 0.5, -1.0, 1.0}, torch::kDouble).view({3, 1, 2});
  auto record = run_all(*neuron, I);
  EXPECT_TRUE(
      torch::equal(record->a, torch::tensor({3.0, 0.0, 0.0, 0.0, 0.0, 0.0}, torch::kDouble).view({3, 1, 2})));
  const Tensor delta = torch::tensor({2.0, 5.0, 7.0, 7.0, 7.0, 7.0}, torch::kDouble).view({3, 1, 2});
  const Tensor g = neuron->vjp(*record, delta, {}).g;
  EXPECT_TRUE(torch::equal(g, torch::tensor({2.0, 0.0, 2.0, 0.0, 2.0, 0.0}, torch::kDouble).view({3, 1, 2})));
  EXPECT_THROW(neuron->run(*record_of(*neuron, I), {0, 2}), UsageError);
}

TEST(TandemParts, NormsAddUpToTheNormOfTheSum) {
  torch::manual_seed(2);
  for (const Shape& shape : {Shape{5}, Shape{3, 4, 4}}) {
    std::vector<int64_t> sizes = {6, 8};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    const Tensor I = torch::randn(sizes, torch::kDouble);
    const auto counted = make<Norm>("count_bn"), plain = make<Norm>("bn");
    for (const auto& norm : {counted, plain}) {
      norm->build(shape);
      norm->to(torch::kDouble);
      const torch::NoGradGuard no_grad;
      norm->named_parameters()["weight"].fill_(1.5);
      norm->named_parameters()["bias"].fill_(-0.25);
    }
    for (const Mode mode : {Mode::train, Mode::replay, Mode::evaluate}) {
      Context context = train_context();
      context.mode = mode;
      const Tensor wanted = plain->forward(I.sum(0, true), context)[0];
      EXPECT_TRUE(torch::allclose(counted->forward(I, context).sum(0), wanted, 1e-12, 1e-12));
    }
    for (const char* name : {"running_mean", "running_var"})
      EXPECT_TRUE(
          torch::allclose(counted->named_buffers()[name], plain->named_buffers()[name], 1e-12, 1e-12));
    const auto bias = make<Norm>("count_bias");
    bias->build(shape);
    const torch::NoGradGuard no_grad;
    bias->named_parameters()["bias"].fill_(0.75);
    EXPECT_TRUE(torch::allclose(bias->forward(I, train_context()).sum(0), I.sum(0) + 0.75));
  }
}

/// One pass of a network under rule tandem, with other settings.
void learn(const std::vector<std::string>& sets) {
  std::vector<std::string> all = {"rule=tandem", "neuron={name=\"if\"}",
                                  "readout={name=\"leaky_readout\", leak=0}", "objective=rate_ce",
                                  "network.norm=count_bias"};
  all.insert(all.end(), sets.begin(), sets.end());
  const Experiment e = tiny_experiment(all);
  Batch batch;
  batch.x = torch::rand({4, 1, 6, 6});
  batch.target = label_target(4, 4);
  e.training.learner->pass(batch, 0);
}

TEST(TandemParts, RefuseWhatHasNoCounts) {
  EXPECT_NO_THROW(learn({}));
  EXPECT_NO_THROW(learn({"objective={name=\"count\", desired=4, undesired=1}"}));
  EXPECT_NO_THROW(learn({"network.norm=none", "network.bias=true"}));
  const auto refusal = [](const std::vector<std::string>& sets) {
    return message_of<UsageError>([&] { learn(sets); });
  };
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"objective=tet_ce"}, "error of objective tet_ce differs from step to step"},
      {{"objective=max_ce"}, "error of objective max_ce differs from step to step"},
      {{"schedule={name=\"truncated\", window=2}"},
       "works on sums over all steps of a sequence; use schedule whole"},
      {{"schedule={name=\"whole\", live=2}"}, "with a loss at every step"},
      {{"network.norm=bn"}, "the norm bn of layer 0 works on single steps"},
      {{"neuron={name=\"if\", reset=\"hard\"}"}, "no spike changes"},
      {{"neuron={name=\"psp_lif\"}"}, "which neuron 'psp_lif' does not provide"},
      {{"readout={name=\"leaky_readout\", leak=0.5}"}, "has to be the same at every step"},
      {{"network.spec=\"8R-4\"", "network.norm=none"}, "recurrent connection"},
  };
  for (const auto& [sets, words] : cases) {
    const std::string message = refusal(sets);
    EXPECT_NE(message.find(words), std::string::npos) << sets[0] << ": " << message;
  }
  EXPECT_NE(
      refusal({"rule=bptt", "schedule={name=\"truncated\", window=2}"}).find("norm count_bias works on sums"),
      std::string::npos);
}

/// The experiment of a progressive run, with other settings.
void prepare(const std::vector<std::string>& sets) {
  std::vector<std::string> all = {"tandem.progressive=true",
                                  "encoder=zero_expand",
                                  "rule=tandem",
                                  "neuron={name=\"if\"}",
                                  "readout={name=\"leaky_readout\", leak=0}",
                                  "objective=rate_ce",
                                  "network.pool=\"avg\"",
                                  "network.norm=count_bias"};
  all.insert(all.end(), sets.begin(), sets.end());
  tiny_experiment(all);
}

TEST(TandemParts, RefuseNetworksThatStagesCannotConvert) {
  EXPECT_NO_THROW(prepare({}));
  EXPECT_NO_THROW(prepare({"network.spec=\"6C3-P2-D0.1-8-4\"", "tandem.thresholds=[0.5, 0.25]"}));
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"network.pool=\"max\""}, "not linear in each step"},
      {{"network.output_bias=true"}, "is added at every step"},
      {{"network.weight_standardisation=true"}, "cannot be scaled"},
      {{"network.spec=\"RB6-GAP-4\""}, "expected a chain"},
      {{"blocks.size=1", "network.spec=\"6C3-8-4\""}, "expected a chain of layers in one block"},
      {{"encoder=direct"}, "set encoder = \"zero_expand\""},
      {{"neuron=relu"}, "expected a neuron that sends spikes and has a threshold"},
      {{"readout={name=\"leaky_readout\", leak=1}"}, "has no memory"},
      {{"readout={name=\"if\"}"}, "stays analog"},
      {{"network.spec=\"4\""}, "expected a hidden layer"},
      {{"tandem.thresholds=[1.0, 1.0]"}, "expected at most 1"},
      {{"tandem.progressive=false", "tandem.thresholds=[1.0]"}, "of progressive learning"},
      {{"tandem.freeze=\"never\""}, "after"},
  };
  for (const auto& [sets, words] : cases) {
    const std::string message = message_of<UsageError>([&] { prepare(sets); });
    EXPECT_NE(message.find(words), std::string::npos) << sets[0] << ": " << message;
  }
}

TEST(TandemParts, ThresholdsSayWhichLayersSpike) {
  const Experiment e = tiny_experiment({"tandem={progressive=true, thresholds=[0.25]}", "encoder=zero_expand",
                                        "rule=tandem", "neuron={name=\"if\"}", "network.spec=\"8-7-4\"",
                                        "readout={name=\"leaky_readout\", leak=0}", "objective=rate_ce"});
  const Network& network = e.training.network();
  EXPECT_EQ(layer_of(network, "0").neuron()->part_name(), "if");
  EXPECT_EQ(layer_of(network, "0").neuron()->config()["threshold"], 0.25);
  EXPECT_EQ(layer_of(network, "1").neuron()->part_name(), "count_relu");
  EXPECT_EQ(layer_of(network, "2").neuron()->part_name(), "leaky_readout");
}

TEST(TandemParts, Percentile) {
  const Tensor x = torch::tensor({4.0, 1.0, 3.0, 2.0}, torch::kDouble);
  EXPECT_DOUBLE_EQ(percentile_of(x, 0), 1);
  EXPECT_DOUBLE_EQ(percentile_of(x, 50), 2.5);
  EXPECT_DOUBLE_EQ(percentile_of(x, 100), 4);
  EXPECT_DOUBLE_EQ(percentile_of(x.slice(0, 0, 1), 99.9), 4);
  EXPECT_THROW(percentile_of(torch::empty({0}), 50), UsageError);
}

/// With as many steps as there can be spikes, a converted layer computes what it did.
TEST(TandemParts, ManyStepsReproduceTheAnalogNetwork) {
  const std::vector<std::string> sets = {"encoder=zero_expand",  "rule=tandem",
                                         "neuron={name=\"if\"}", "steps=400",
                                         "network.spec=\"9-4\"", "network.norm=count_bn",
                                         "objective=rate_ce",    "readout={name=\"leaky_readout\", leak=0}"};
  const auto with = [&](const char* tandem) {
    std::vector<std::string> all = sets;
    all.emplace_back(tandem);
    return tiny_experiment(all);
  };
  Experiment analog = with("tandem={progressive=true}");
  Experiment spiking = with("tandem={progressive=true, thresholds=[0.01]}");
  for (auto& item : analog.training.network().named_buffers())
    if (item.key() == "0.norm.running_mean") item.value().fill_(-0.2);  // inhibition may come too late
  copy_converted(analog.training.network(), spiking.training.network(), 0, 0.01);
  Batch batch;
  torch::manual_seed(4);
  batch.x = torch::rand({6, 1, 6, 6}) * 0.8;
  batch.target = label_target(6, 4);
  const Tensor wanted = analog.training.learner->infer(batch).prediction,
               got = spiking.training.learner->infer(batch).prediction;
  EXPECT_GT(wanted.abs().max().item<double>(), 0.1);
  EXPECT_LE((got - wanted).abs().max().item<double>(), 0.1);
  EXPECT_TRUE(torch::equal(got.argmax(1), wanted.argmax(1)));
}

}  // namespace spiketrain::tandem_parts_test
