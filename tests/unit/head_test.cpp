// Blocks of a network and their heads: partition, pooling, weights, feedback, and what is refused.
#include "spiketrain/core/head.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/network_fixture.h"
#include "tests/support/tiny.h"

namespace spiketrain::head_test {

/// Three hidden layers and an output layer of `lif` on the tiny images, T = 6, BPTT, a loss at every step.
Experiment experiment(const std::vector<std::string>& more = {}) {
  std::vector<std::string> sets = {"steps=6",
                                   "network.spec=6C3-P2-12-8-4",
                                   "neuron={name=\"lif\", leak=0.5, reset=\"soft\"}",
                                   "readout={name=\"leaky_readout\", leak=0.5}",
                                   "rule={name=\"bptt\"}",
                                   "objective={name=\"tet_ce\"}"};
  sets.insert(sets.end(), more.begin(), more.end());
  return tiny_experiment(sets);
}

std::shared_ptr<Network> build(const std::vector<std::string>& more = {}) {
  return experiment(more).training.learner->parts().network;
}

/// The first samples, bright enough to make the neurons fire.
Batch first_batch(int64_t size = 8) {
  const Datasets data = tiny_data();
  Batch batch;
  batch.x = torch::empty({size, 1, 6, 6});
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < size; ++i) {
    data.train->read(i, 0, batch.x[i].data_ptr<float>());
    labels.push_back(data.train->class_of(i));
  }
  batch.x = batch.x * 4;
  batch.target.y = torch::tensor(labels);
  return batch;
}

TEST(Blocks, PartitionBySizeAndByList) {
  EXPECT_EQ(build()->blocks(), 1);
  EXPECT_EQ(build({"blocks.size=all"})->blocks(), 1);
  EXPECT_EQ(build({"blocks.size=3"})->blocks(), 1);
  EXPECT_EQ(build({"blocks.size=1"})->blocks(), 3);
  const auto two = build({"blocks.size=2"});
  ASSERT_EQ(two->blocks(), 2);
  EXPECT_EQ(two->block_shape(0), Shape({12}));
  EXPECT_EQ(build({"blocks.partition=[1,2]"})->block_shape(0), Shape({6, 2, 2}));  // after its pooling
  EXPECT_EQ(node_of(*two, "4").token, "4");
  EXPECT_EQ(two->block_of(4), 1);
  int64_t heads = 0;
  for (const Network::Node& node : two->nodes()) heads += node.head_of >= 0 ? 1 : 0;
  EXPECT_EQ(heads, 1);
  EXPECT_TRUE(two->has_head(0));
  EXPECT_FALSE(two->has_head(1));
}

TEST(Blocks, TheOutputLayerApart) {
  const auto apart = build({"blocks={size=1, output=\"apart\"}"});
  ASSERT_EQ(apart->blocks(), 4);
  EXPECT_EQ(apart->block_shape(2), Shape({8}));
  EXPECT_TRUE(apart->has_head(2));
  EXPECT_FALSE(apart->has_head(3));
  EXPECT_EQ(apart->block_parameters(3).size(), 1U);
  EXPECT_EQ(build({"blocks.output=apart"})->blocks(), 2);
  const auto list = build({"blocks={partition=[1,2], output=\"apart\"}"});
  ASSERT_EQ(list->blocks(), 3);
  EXPECT_EQ(list->block_shape(1), Shape({8}));
  const auto signal = build({"blocks={size=1, output=\"apart\"}", "learning_signal=dfa"});
  EXPECT_EQ(signal->blocks(), 4);
  EXPECT_FALSE(signal->has_head(2));
}

TEST(Blocks, CutBeforePoolingTheHeadReadsTheLayer) {
  const auto network = build({"blocks={partition=[1,2], cut=\"before_pooling\"}"});
  EXPECT_EQ(network->block_shape(0), Shape({6, 4, 4}));
  EXPECT_EQ(network->notation(), build()->notation());
  ASSERT_EQ(network->nodes().size(), 6U);
  EXPECT_EQ(layer_of(*network, "head0_0").connections()[0].synapse->weight().numel(), 6 * 4 * 4 * 4);
  EXPECT_EQ(node_of(*network, "1").token, "P2");
  EXPECT_EQ(network->block_of(0), 0);
  EXPECT_EQ(network->block_of(1), 1);
  // One block has nothing to cut; where nothing follows the last layer the cut is the same.
  EXPECT_EQ(build({"blocks.cut=before_pooling"})->nodes()[1].token, "P2");
  EXPECT_EQ(build({"blocks={partition=[2,1], cut=\"before_pooling\"}"})->block_shape(0), Shape({12}));
}

TEST(Blocks, CutBeforePoolingKeepsUnitsWhole) {
  const auto cut = [](const char* spec) {
    auto network = make_spec(spec, make_context({{"name", "psp_lif"}}, {2, 8, 8}, 4));
    network->partition({1, 1}, /*before_pooling=*/true);
    return network->block_shape(0);
  };
  EXPECT_EQ(cut("4C3p1-P2-D0.5-8-4"), (Shape{4, 8, 8}));
  EXPECT_EQ(cut("RB4-P2-8-4"), (Shape{4, 8, 8}));
  EXPECT_EQ(cut("SEW2-MP2-GAP-8-4"), (Shape{2, 8, 8}));  // the sum of the unit stays
  EXPECT_EQ(cut("6R-8-4"), Shape{6});
}

TEST(Blocks, TheNetworkItselfDoesNotChangeWithItsBlocks) {
  const auto whole = build(), cut = build({"blocks.size=1"});
  EXPECT_EQ(whole->notation(), cut->notation());
  const auto weights = cut->named_parameters();
  for (const auto& item : whole->named_parameters()) {
    EXPECT_TRUE(torch::equal(item.value(), weights[item.key()])) << item.key();
  }
  size_t parameters = 0;
  for (int64_t b = 0; b < cut->blocks(); ++b) parameters += cut->block_parameters(b).size();
  EXPECT_EQ(parameters, cut->parameters().size());
}

TEST(Blocks, SenselessOptionsAreRefusedWithAReason) {
  const auto error = [](const std::vector<std::string>& sets) {
    return message_of<UsageError>([&] { build(sets); });
  };
  EXPECT_NE(error({"blocks.partition=[1,1]"}).find("add up to the 3 hidden layers"), std::string::npos);
  EXPECT_NE(error({"blocks.partition=[3,0]"}).find("at least 1, got 0"), std::string::npos);
  EXPECT_NE(error({"blocks.partition=[1,2]", "blocks.size=1"}).find("either size or partition"),
            std::string::npos);
  EXPECT_NE(error({"blocks.size=1", "head.pool_to=3"}).find("the least is 6"), std::string::npos);
  EXPECT_NE(error({"blocks={partition=[1,1], output=\"apart\"}"}).find("add up to the 3 hidden layers"),
            std::string::npos);
  EXPECT_NE(error({"blocks.size=1", "head={pool_to=8, grid=2}"}).find("either pool_to or grid"),
            std::string::npos);
  EXPECT_NE(error({"blocks.size=some"}).find("size"), std::string::npos);
}

/// Three layers in units of their own and a sum of the first and the last.
TEST(Blocks, ACutAcrossAnEdgeIsRefused) {
  const auto graph = [] {
    auto network = std::make_shared<Network>(Shape{4});
    const auto layer = [] {
      return std::make_shared<Layer>(std::vector<Connection>{{make<Synapse>("linear", {{"features", 4}})}},
                                     make<Neuron>("lif"));
    };
    const int64_t first = network->add(layer(), {{Network::kInput}}, true);
    network->add(layer(), true);
    const int64_t last = network->add(layer(), true);
    network->add(make<Stage>("sum"), {{last}, {first}}, false);
    network->add(layer(), true);
    return network;
  };
  const auto message = message_of<UsageError>([&] { graph()->partition({2, 1}); });
  EXPECT_NE(message.find("a cut would cross the edge from node 0 to node 3"), std::string::npos) << message;
  EXPECT_NO_THROW(graph()->partition({3}));
  EXPECT_NO_THROW(graph()->partition({1, 2}));  // the sum reads what enters its block
  // Nor may a delayed edge lead over a cut.
  const auto late = [] {
    auto network = std::make_shared<Network>(Shape{4});
    const auto connection = [] { return Connection{make<Synapse>("linear", {{"features", 4}})}; };
    const auto layer = [&](size_t inputs) {
      std::vector<Connection> list;
      for (size_t k = 0; k < inputs; ++k) list.push_back(connection());
      return std::make_shared<Layer>(std::move(list), make<Neuron>("lif"));
    };
    network->add(layer(2), {{Network::kInput}, {1, 1, {4}}}, true);
    network->add(layer(1), true);
    network->add(layer(1), true);
    return network;
  };
  EXPECT_NO_THROW(late()->partition({2}));
  EXPECT_THROW(late()->partition({1, 1}), UsageError);
  // Heads come last, one for each block.
  auto network = make_spec("8-6-4", make_context({{"name", "lif"}}, {4}, 4));
  network->partition({1, 1});
  const auto head = [&] { return make<Head>("linear")->build({8}, {4}, make<Neuron>("lif")); };
  network->attach_head(0, head());
  EXPECT_THROW(network->attach_head(0, head()), UsageError);
  EXPECT_THROW(network->attach_head(2, head()), UsageError);
  EXPECT_THROW(network->partition({2}), UsageError);
  EXPECT_THROW(network->add(head()[0], true), UsageError);
}

TEST(Head, PoolsUntilItFits) {
  const auto notation = [](const Shape& in, int64_t features) {
    const auto stages =
        make<Head>("linear", {{"pool_to", features}})->build(in, {4}, make<Neuron>("leaky_readout"));
    if (stages.size() == 1) return std::string("none");
    const Shape out = stages[0]->build({in});
    return stages[0]->notation() + spiketrain::str(at::IntArrayRef(out));
  };
  EXPECT_EQ(notation({6, 8, 8}, 384), "none");
  EXPECT_EQ(notation({6, 8, 8}, 383), "AP2x1[6, 4, 8]");
  EXPECT_EQ(notation({6, 8, 8}, 96), "AP2x2[6, 4, 4]");
  EXPECT_EQ(notation({6, 8, 8}, 95), "AP4x2[6, 2, 4]");
  EXPECT_EQ(notation({6, 8, 8}, 6), "AP8x8[6, 1, 1]");
  EXPECT_EQ(notation({6, 5, 7}, 6), "AP4x4[6, 1, 1]");
  EXPECT_EQ(notation({100}, 10), "none");
}

struct Fixed {
  Tensor weight, feedback;
  bool trained;
};

Fixed head_of(std::vector<std::string> sets) {
  sets.emplace_back("blocks.size=1");
  const auto network = build(sets);
  Fixed head{{}, {}, false};
  for (const auto& item : network->named_buffers()) {
    if (item.key() == "head0_0.synapse.weight") head.weight = item.value();
    if (item.key() == "head0_0.feedback.feedback") head.feedback = item.value();
  }
  head.trained = network->named_parameters().contains("head0_0.synapse.weight");
  return head;
}

/// To a grid: equal windows where the side divides, and overlapping ones else, as adaptive pooling has them.
TEST(Head, PoolsToAGrid) {
  const auto pool = [](const Shape& in, int64_t grid) {
    const auto stages = make<Head>("linear", {{"grid", grid}})->build(in, {4}, make<Neuron>("leaky_readout"));
    EXPECT_EQ(stages.size(), 2U);
    return stages[0];
  };
  const auto run = [](const std::shared_ptr<Stage>& stage, const Tensor& a) {
    Carry carry;
    return stage->forward({Signal::dense(a)}, Context(), carry).values();
  };
  const auto maps = pool({3, 4, 4}, 2);
  EXPECT_EQ(maps->build({{3, 4, 4}}), Shape({3, 2, 2}));
  EXPECT_EQ(maps->notation(), "A2x2");
  const Tensor a = torch::rand({5, 2, 3, 4, 4});
  EXPECT_TRUE(torch::allclose(run(maps, a), torch::avg_pool2d(a.flatten(0, 1), 2).view({5, 2, 3, 2, 2})));
  const auto vector = pool({5}, 2);
  EXPECT_EQ(vector->build({{5}}), Shape({2}));
  EXPECT_EQ(vector->notation(), "A2");
  const Tensor v = torch::rand({5, 2, 5}), two = run(vector, v);  // inputs 0 to 2 and 2 to 4
  EXPECT_TRUE(torch::allclose(two.select(2, 0), v.slice(2, 0, 3).mean(2)));
  EXPECT_TRUE(torch::allclose(two.select(2, 1), v.slice(2, 2, 5).mean(2)));
  const auto small = pool({3, 1, 4}, 2);
  EXPECT_EQ(small->build({{3, 1, 4}}), Shape({3, 1, 2}));
  for (const Shape& fits : {Shape{3}, Shape{3, 8, 8}})
    EXPECT_EQ(make<Head>("linear", {{"grid", 8}})->build(fits, {4}, make<Neuron>("leaky_readout")).size(),
              1U);
}

TEST(Head, FixedWeightsHaveTheirSizeAndAreNotTrained) {
  const auto inputs = static_cast<double>(6 * 2 * 2);
  EXPECT_TRUE(head_of({}).trained);
  const Fixed sign = head_of({"head.weights=sign"});
  EXPECT_FALSE(sign.trained);
  EXPECT_EQ(sign.weight.sizes(), at::IntArrayRef({4, 24}));
  EXPECT_TRUE(torch::allclose(sign.weight.abs(), torch::full_like(sign.weight, 1 / std::sqrt(inputs))));
  EXPECT_GT((sign.weight > 0).sum().item<int64_t>(), 24);
  EXPECT_GT((sign.weight < 0).sum().item<int64_t>(), 24);
  const Fixed uniform = head_of({"head.weights=uniform", "head.scale=0.5"});
  EXPECT_LE(uniform.weight.abs().max().item<double>(), 0.5);
  EXPECT_GT(uniform.weight.abs().max().item<double>(), 0.4);
  const Fixed wave = head_of({"head.weights=square_wave", "head.scale=1"});
  EXPECT_EQ(wave.weight[0][0].item<double>(), 0);  // sin 0
  EXPECT_EQ(wave.weight[0][1].item<double>(), std::sin(50.0) > 0 ? 1 : -1);
  EXPECT_EQ(wave.weight[3][5].item<double>(), std::sin(512.0 * 5) > 0 ? 1 : -1);
}

/// The head of block 0 has slot 5: five stages come before it.
TEST(Head, DrawsComeFromTheirStreams) {
  const auto expect_drawn = [](const Tensor& W, Rng rng, double s) {
    ASSERT_TRUE(W.defined());
    const Tensor flat = W.flatten();
    for (int64_t i = 0; i < flat.numel(); ++i)
      EXPECT_EQ(flat[i].item<float>(), static_cast<float>(rng.uniform(-s, s))) << i;
  };
  const double s = 1 / std::sqrt(24.0);
  const Fixed plain = head_of({"head.weights=uniform", "head.feedback=random"});
  expect_drawn(plain.weight, Rng(1, Purpose::init, 5), s);
  expect_drawn(plain.feedback, Rng(1, Purpose::feedback, 5), s);
  // The head's scale holds for the feedback too, unless that has its own.
  const Fixed scaled = head_of({"head.weights=uniform", "head.feedback=random", "head.scale=0.5"});
  expect_drawn(scaled.feedback, Rng(1, Purpose::feedback, 5), 0.5);
  const Fixed own = head_of({"head={scale=0.5, feedback={name=\"random\", scale=0.25}}"});
  EXPECT_TRUE(own.trained);
  expect_drawn(own.feedback, Rng(1, Purpose::feedback, 5), 0.25);
}

NamedTensors gradients(std::vector<std::string> sets) {
  sets.emplace_back("blocks.size=1");
  const Experiment e = experiment(sets);
  e.training.learner->pass(first_batch(), 0);
  NamedTensors list;
  for (const auto& item : e.training.learner->network().named_parameters()) {
    if (item.value().grad().defined()) list.emplace_back(item.key(), item.value().grad());
  }
  return list;
}

NamedTensors of(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors list;
  for (const auto& item : tensors) {
    if (item.first.rfind(prefix, 0) == 0) list.push_back(item);
  }
  return list;
}

TEST(Head, FeedbackReplacesTheTransposeOnly) {
  const NamedTensors plain = gradients({"head.weights=uniform"});
  ASSERT_FALSE(of(plain, "4.").empty());
  for (const char* feedback : {"random", "sign"}) {
    const NamedTensors other = gradients({"head.weights=uniform", std::string("head.feedback=") + feedback});
    EXPECT_FALSE(same_tensors(of(plain, "0."), of(other, "0."))) << feedback;
    EXPECT_TRUE(same_tensors(of(plain, "4."), of(other, "4.")))
        << feedback;  // the output layer keeps its transpose
  }
  EXPECT_TRUE(same_tensors(plain, gradients({"head.weights=uniform", "head.feedback=transpose"})));
}

/// A trained head learns with its block; random feedback changes what the block hears, not what the head learns.
TEST(Head, TrainedHeadsGetGradients) {
  const NamedTensors plain = gradients({}), random = gradients({"head.feedback=random"});
  ASSERT_FALSE(of(plain, "head0_0.").empty());
  EXPECT_TRUE(same_tensors(of(plain, "head0_0."), of(random, "head0_0.")));
  EXPECT_GT(of(plain, "head0_0.")[0].second.abs().sum().item<double>(), 0);
}

TEST(Blocks, LossesOfAllWindowsAddUpToTheAverage) {
  for (const char* objective : {"tet_ce", "mse", "smooth_l1"}) {
    double sums[2];
    for (const int K : {6, 2}) {
      const Experiment e =
          experiment({"schedule={name=\"truncated\"}", "schedule.window=" + std::to_string(K),
                      std::string("objective={name=\"") + objective + "\"}"});
      double sum = 0;
      e.training.learner->pass(first_batch(), 0, [&](const Segment&, const BlockLosses& losses) {
        sum += losses.back().item<double>();
        return true;
      });
      sums[K == 6 ? 0 : 1] = sum;
    }
    EXPECT_NEAR(sums[0], sums[1], 1e-6) << objective;
  }
}

}  // namespace spiketrain::head_test
