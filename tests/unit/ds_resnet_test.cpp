// Spiking DS-ResNet: sizes as the authors' networks have them, both kinds of block, errors.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/message.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::ds_resnet_test {

std::shared_ptr<Network> build(const Config& options, const Shape& input, int64_t classes) {
  NetworkContext context = make_context({{"name", "mlf"}}, input, classes);
  context.readout = [] { return make<Neuron>("leaky_readout", {{"leak", 0}}); };
  return make<NetworkBuilder>("ds_resnet", options)->build(context);
}

TEST(DsResNet, HasTheSizesOfTheAuthorsNetworks) {
  const std::pair<int64_t, int64_t> cifar[] = {
      {14, 2777674}, {20, 4327754}, {32, 7427914}, {44, 10528074}, {68, 16728394}};
  for (const auto& [depth, parameters] : cifar)
    EXPECT_EQ(build({{"depth", depth}}, {3, 32, 32}, 10)->parameter_count(), parameters) << depth;
  EXPECT_EQ(build({{"depth", 20}, {"width", 16}}, {2, 32, 32}, 11)->parameter_count(),
            272395);  // DVS-Gesture
  EXPECT_EQ(build({{"depth", 14}, {"width", 32}}, {2, 42, 42}, 10)->parameter_count(),
            696330);  // CIFAR10-DVS
}

TEST(DsResNet, IsWhatTheNotationSays) {
  EXPECT_EQ(build({{"depth", 14}, {"width", 8}}, {1, 28, 28}, 10)->notation(),
            "8C3p1-SEW8-SEW8-SEW16s2-SEW16-SEW32s2-SEW32-GAP-10");
  EXPECT_EQ(build({{"depth", 8}, {"width", 8}, {"block", "plain"}}, {1, 28, 28}, 10)->notation(),
            "8C3p1-RB8-RB16s2-RB32s2-GAP-10");
  for (const int64_t depth : {14, 32}) {  // as many layers as its name says, shortcuts aside
    const auto network = build({{"depth", depth}, {"width", 2}}, {1, 28, 28}, 10);
    int64_t layers = 0;
    for (const Network::Node& node : network->nodes()) {
      const bool shortcut = node.name.find("_shortcut") != std::string::npos;
      layers += dynamic_cast<const Layer*>(node.stage.get()) && !shortcut;
    }
    EXPECT_EQ(layers, depth);
  }
}

TEST(DsResNet, FollowsTheAuthorsInWhatTheTextLeavesOpen) {
  const auto network = build({{"depth", 8}, {"width", 4}}, {1, 12, 12}, 3);
  network->initialise(1);
  const Layer& stem = layer_of(*network, "0");
  const Config norm = stem.connections()[0].norm->config();
  EXPECT_EQ(norm["name"], "tdbn");
  EXPECT_EQ(norm["scale"], 0.6);
  EXPECT_EQ(norm["eps_outside"], true);
  EXPECT_FALSE(stem.connections()[0].synapse->bias().defined());
  const Layer& output = layer_of(*network, "5");
  EXPECT_EQ(output.connections()[0].norm, nullptr);
  const Tensor bias = output.connections()[0].synapse->bias();
  ASSERT_TRUE(bias.defined());
  EXPECT_GT(bias.abs().max().item<float>(), 0);
  EXPECT_LE(bias.abs().max().item<float>(), 0.25F);  // 1/sqrt(16 inputs)
}

TEST(DsResNet, CountsAddUpAlongAGroup) {
  const auto network = build({{"depth", 14}, {"width", 4}}, {1, 12, 12}, 3);
  network->initialise(1);
  const Context context = train_context();
  Carry carry = network->start();
  std::vector<Signal> sent;
  const torch::NoGradGuard no_grad;
  for (const Network::Node& node : network->nodes()) {
    std::vector<Signal> in;
    for (const auto& input : node.inputs)
      in.push_back(input.node == Network::kInput ? Signal::dense(torch::randn({3, 2, 1, 12, 12}))
                                                 : sent[static_cast<size_t>(input.node)]);
    sent.push_back(node.stage->forward(in, context, carry));
    // The first unit of a group adds a shortcut that fires anew.
    const std::map<std::string, int64_t> greatest = {{"1_sum", 6}, {"2_sum", 9}, {"3_sum", 6}};
    if (const auto it = greatest.find(node.name); it != greatest.end()) {
      EXPECT_EQ(sent.back().spikes().levels(), it->second);
    }
  }
}

TEST(DsResNet, Errors) {
  for (const int64_t depth : {15, 16, 18}) {
    EXPECT_NE(message_of<UsageError>([&] {
                build({{"depth", depth}}, {3, 32, 32}, 10);
              }).find("depth: expected 6n + 2, such as 14, 20, 32, 44 or 68, got " + std::to_string(depth)),
              std::string::npos);
  }
  EXPECT_THROW(build({{"depth", 2}}, {3, 32, 32}, 10), UsageError);
  EXPECT_THROW(build({{"block", "sew"}}, {3, 32, 32}, 10), UsageError);
  EXPECT_THROW(build({}, {3, 32, 16}, 10), UsageError);  // global average
  EXPECT_THROW(build({}, {700}, 20), UsageError);
}

TEST(NetworkSpec, OutputBiasIsOfTheOutputLayerAlone) {
  const auto network =
      make_spec("4C3-8-10", make_context({{"name", "lif"}}, {1, 6, 6}, 10), {{"output_bias", true}});
  EXPECT_EQ(network->parameter_count(), 4 * 9 + 64 * 8 + 80 + 10);
  EXPECT_TRUE(layer_of(*network, "2").connections()[0].synapse->bias().defined());
  const auto maps =
      make_spec("4C3-10C1-GAP", make_context({{"name", "lif"}}, {1, 6, 6}, 10), {{"output_bias", true}});
  EXPECT_EQ(maps->parameter_count(), 4 * 9 + 40 + 10);
}

}  // namespace spiketrain::ds_resnet_test
