// Blocks of a network and their heads: partition, pooling, weights, feedback, and what is refused.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/layer.h"
#include "tests/support/blocks.h"

namespace spiketrain {
namespace {

Experiment make(const std::vector<std::string>& more) {
  return build_experiment(tiny_recipe(lif_sets(more)), tiny_data());
}

TEST(Blocks, PartitionBySizeAndByList) {
  EXPECT_EQ(make({}).network->blocks(), 1U);
  EXPECT_EQ(make({"blocks.size=all"}).network->blocks(), 1U);
  EXPECT_EQ(make({"blocks.size=3"}).network->blocks(), 1U);
  EXPECT_EQ(make({"blocks.size=1"}).network->blocks(), 3U);
  const Experiment two = make({"blocks.size=2"});
  ASSERT_EQ(two.network->blocks(), 2U);
  EXPECT_EQ(two.network->block_shape(0), Shape({12}));
  EXPECT_EQ(make({"blocks.partition=[1,2]"}).network->block_shape(0), Shape({6, 2, 2}));  // after its pooling
  const auto rows = two.network->describe();
  EXPECT_EQ(rows.back().spec, "4");
  EXPECT_EQ(rows.back().block, 1);
  int64_t heads = 0;
  for (const StageInfo& row : rows) heads += row.head ? 1 : 0;
  EXPECT_EQ(heads, 1);
}

TEST(Blocks, CutBeforePoolingTheHeadReadsTheLayer) {
  const Experiment e = make({"blocks={partition=[1,2], cut=\"before_pooling\"}"});
  EXPECT_EQ(e.network->block_shape(0), Shape({6, 4, 4}));
  EXPECT_EQ(e.network->spec(), make({}).network->spec());
  const auto rows = e.network->describe();
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_TRUE(rows[1].head);
  EXPECT_EQ(rows[1].parameters, 6 * 4 * 4 * 4);
  EXPECT_EQ(rows[2].spec, "P2");
  EXPECT_EQ(rows[2].block, 1);
  // One block has nothing to cut; where nothing follows the last layer the cut is the same.
  EXPECT_EQ(make({"blocks.cut=before_pooling"}).network->describe()[1].spec, "P2");
  EXPECT_EQ(make({"blocks={partition=[2,1], cut=\"before_pooling\"}"}).network->block_shape(0), Shape({12}));
}

TEST(Blocks, TheNetworkItselfDoesNotChangeWithItsBlocks) {
  const Experiment whole = make({}), cut = make({"blocks.size=1"});
  EXPECT_EQ(whole.network->spec(), cut.network->spec());
  const auto weights = cut.network->named_parameters();
  for (const auto& item : whole.network->named_parameters()) {
    EXPECT_TRUE(torch::equal(item.value(), weights[item.key()])) << item.key();
  }
  size_t parameters = 0;
  for (size_t b = 0; b < cut.network->blocks(); ++b) parameters += cut.network->block_parameters(b).size();
  EXPECT_EQ(parameters, cut.network->parameters().size());
}

TEST(Blocks, SenselessOptionsAreRefusedWithAReason) {
  const auto error = [](const std::vector<std::string>& sets) {
    return message_of<UsageError>([&] { make(sets); });
  };
  EXPECT_NE(error({"blocks.partition=[1,1]"}).find("add up to the 3 hidden layers"), std::string::npos);
  EXPECT_NE(error({"blocks.partition=[3,0]"}).find("at least 1, got 0"), std::string::npos);
  EXPECT_NE(error({"blocks.partition=[1,2]", "blocks.size=1"}).find("either size or partition"),
            std::string::npos);
  EXPECT_NE(error({"blocks.size=1", "schedule={name=\"truncated\", window=2, loss=\"last\"}"})
                .find("without a gradient"),
            std::string::npos);
  EXPECT_NE(error({"schedule={name=\"truncated\", window=2, update=\"step\"}"}).find("needs window = 1"),
            std::string::npos);
  EXPECT_NE(
      error({"schedule={name=\"truncated\", loss=\"last\", update=\"window\"}"}).find("update = \"batch\""),
      std::string::npos);
  EXPECT_NE(error({"blocks.size=1", "head.pool_to=3"}).find("the least is 6"), std::string::npos);
  EXPECT_NE(error({"blocks.size=some"}).find("size"), std::string::npos);
}

TEST(Head, PoolsUntilItFits) {
  const auto spec = [](Shape in, int64_t features) {
    HeadOptions options;
    options.pool_to = features;
    const auto readout = Registry<Neuron>::get().make({{"name", "leaky_readout"}});
    const Network::Unit unit = make_head(in, 4, options, readout);
    return unit.size() == 1 ? std::string("none")
                            : unit[0]->spec() + spiketrain::str(at::IntArrayRef(unit[0]->out_shape()));
  };
  EXPECT_EQ(spec({6, 8, 8}, 384), "none");
  EXPECT_EQ(spec({6, 8, 8}, 383), "AP2x1[6, 4, 8]");
  EXPECT_EQ(spec({6, 8, 8}, 96), "AP2x2[6, 4, 4]");
  EXPECT_EQ(spec({6, 8, 8}, 95), "AP4x2[6, 2, 4]");
  EXPECT_EQ(spec({6, 8, 8}, 6), "AP8x8[6, 1, 1]");
  EXPECT_EQ(spec({6, 5, 7}, 6), "AP4x4[6, 1, 1]");
  EXPECT_EQ(spec({100}, 10), "none");
}

struct Fixed {
  Tensor weight, feedback;
  bool trained;
};

Fixed head_of(const std::vector<std::string>& sets) {
  const Experiment e = make(sets);
  Fixed head{{}, {}, false};
  for (const auto& item : e.network->named_buffers()) {
    if (item.key() == "head0_0.synapse.weight") head.weight = item.value();
    if (item.key() == "head0_0.synapse.feedback") head.feedback = item.value();
  }
  head.trained = e.network->named_parameters().contains("head0_0.synapse.weight");
  return head;
}

TEST(Head, FixedWeightsHaveTheirSizeAndAreNotTrained) {
  const auto inputs = static_cast<double>(6 * 2 * 2);
  EXPECT_TRUE(head_of({"blocks.size=1"}).trained);
  const Fixed sign = head_of({"blocks.size=1", "head.weights=sign"});
  EXPECT_FALSE(sign.trained);
  EXPECT_EQ(sign.weight.sizes(), at::IntArrayRef({4, 24}));
  EXPECT_TRUE(torch::allclose(sign.weight.abs(), torch::full_like(sign.weight, 1 / std::sqrt(inputs))));
  EXPECT_GT((sign.weight > 0).sum().item<int64_t>(), 24);
  EXPECT_GT((sign.weight < 0).sum().item<int64_t>(), 24);
  const Fixed uniform = head_of({"blocks.size=1", "head.weights=uniform", "head.scale=0.5"});
  EXPECT_LE(uniform.weight.abs().max().item<double>(), 0.5);
  EXPECT_GT(uniform.weight.abs().max().item<double>(), 0.4);
  const Fixed wave = head_of({"blocks.size=1", "head.weights=square_wave", "head.scale=1"});
  EXPECT_EQ(wave.weight[0][0].item<double>(), 0);  // sin 0
  EXPECT_EQ(wave.weight[0][1].item<double>(), std::sin(50.0) > 0 ? 1 : -1);
  EXPECT_EQ(wave.weight[3][5].item<double>(), std::sin(512.0 * 5) > 0 ? 1 : -1);
}

TEST(Head, RandomFeedbackReplacesTheTransposeOnly) {
  const std::vector<std::string> sets = {"blocks.size=1", "head.weights=uniform"};
  const NamedTensors plain = pass_gradients(lif_sets(sets));
  std::vector<std::string> random_sets = sets;
  random_sets.emplace_back("head.feedback=random");
  const NamedTensors random = pass_gradients(lif_sets(random_sets));
  EXPECT_FALSE(same_tensors(of(plain, "0."), of(random, "0.")));
  EXPECT_TRUE(same_tensors(of(plain, "4."), of(random, "4.")));  // the output layer keeps its transpose
  const Fixed head = head_of(random_sets);
  ASSERT_TRUE(head.feedback.defined());
  EXPECT_FALSE(torch::equal(head.feedback, head.weight));
}

/// With random feedback, a block's gradient is made from F alone: equal to that of a head with weights F
/// whose errors are the same.
TEST(Head, PullUsesTheFeedbackMatrix) {
  auto synapse =
      Registry<Synapse>::get().make({{"name", "head_linear"}, {"features", 3}, {"feedback", "random"}});
  synapse->build({5});
  synapse->initialise(7, 1);
  const Tensor g = torch::rand({2, 4, 3}), F = synapse->named_buffers()["feedback"];
  EXPECT_TRUE(torch::allclose(synapse->pull(g, synapse->weight()), torch::matmul(g, F)));
  EXPECT_GT((F - synapse->weight()).abs().max().item<double>(), 0.01);
}

TEST(Blocks, LossesOfAllWindowsAddUpToTheAverage) {
  for (const char* objective : {"tet_ce", "mse", "smooth_l1"}) {
    double sums[2];
    for (const int K : {6, 2}) {
      const Experiment e = make({"schedule={name=\"truncated\"}", "schedule.window=" + std::to_string(K),
                                 std::string("objective={name=\"") + objective + "\"}"});
      Pass pass = e.network->start(e.rule, true, 1);
      double sum = 0;
      run_pass(e, e.plan, first_input(e), pass,
               [&](const Window&, const BlockLosses& losses) { sum += losses.back().item<double>(); });
      sums[K == 6 ? 0 : 1] = sum;
    }
    EXPECT_NEAR(sums[0], sums[1], 1e-6) << objective;
  }
}

TEST(Blocks, EncodersJoinOverWindows) {
  for (const char* name : {"direct", "poisson", "latency"}) {
    const auto encoder = Registry<Encoder>::get().make({{"name", name}});
    const Tensor x = torch::rand({3, 2, 5, 5});
    const Encoder::Key key = {3, 1, 4};
    const Tensor whole = encoder->encode(x, {0, 7, 7}, key).dense();
    for (const int64_t K : {1, 2, 3}) {
      for (int64_t t = 0; t < 7; t += K) {
        const int64_t end = std::min<int64_t>(7, t + K);
        EXPECT_TRUE(torch::equal(encoder->encode(x, {t, end, 7}, key).dense(), whole.slice(0, t, end)))
            << name;
      }
    }
  }
  const Tensor frames = torch::randint(0, 3, {2, 3, 2, 4, 4}, torch::kUInt8);
  EXPECT_TRUE(torch::equal(Registry<Encoder>::get().make({{"name", "direct"}})->frames(frames).a,
                           frames.to(torch::kFloat)));
  const auto poisson = Registry<Encoder>::get().make({{"name", "poisson"}});
  EXPECT_NE(message_of<UsageError>([&] { poisson->frames(frames); }).find("direct"), std::string::npos);
}

}  // namespace
}  // namespace spiketrain
