// A network as a configuration and back: blocks and heads included, equal in notation, names and bits.
#include <gtest/gtest.h>

#include "spiketrain/core/head.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::network_config_test {

const Config kPspLif = {{"name", "psp_lif"}, {"tau_s", 2.5}}, kLif = {{"name", "lif"}, {"leak", 0.3}};

/// From what was written to text and read again.
std::shared_ptr<Network> rebuilt(const Network& network) {
  return Network::from_config(Config::parse(network.config().dump()));
}

std::vector<std::string> names(const Network& network) {
  std::vector<std::string> list;
  for (const auto& item : network.named_parameters()) list.push_back(item.key());
  for (const auto& item : network.named_buffers()) list.push_back(item.key());
  return list;
}

/// Block by block in training mode, and their heads.
std::vector<Tensor> outputs(Network& network, const Signal& x) {
  const torch::NoGradGuard no_grad;
  const Context context = train_context(3, 1);
  Carry carry = network.start();
  std::vector<Tensor> list;
  Signal signal = x;
  for (int64_t b = 0; b < network.blocks(); ++b) {
    signal = network.forward_block(b, signal, context, carry);
    list.push_back(signal.values());
    if (network.has_head(b)) list.push_back(network.forward_head(b, signal, context, carry).values());
  }
  return list;
}

void expect_rebuilds(const std::shared_ptr<Network>& network) {
  const auto again = rebuilt(*network);
  EXPECT_EQ(again->notation(), network->notation());
  EXPECT_EQ(again->config().dump(), network->config().dump());
  EXPECT_EQ(again->blocks(), network->blocks());
  EXPECT_EQ(again->hidden_units(), network->hidden_units());
  ASSERT_EQ(names(*again), names(*network));
  network->initialise(7);
  again->initialise(7);
  const Tensor x = torch::rand([&] {
    std::vector<int64_t> shape = {1, 3};
    shape.insert(shape.end(), network->input_shape().begin(), network->input_shape().end());
    return shape;
  }());
  const Signal input = Signal::constant(x * 16, torch::ones({5}));
  const auto a = outputs(*network, input), b = outputs(*again, input);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i], b[i])) << "output " << i;
  EXPECT_GT(a.back().abs().sum().item<double>(), 0) << "silent, the test says nothing";
}

TEST(NetworkConfig, EveryNotationRebuilds) {
  torch::manual_seed(5);
  const char* specs[] = {"4C5-P2-6C3p1-MP2-D0.25-12-10", "4C3s2-AP2-RB6s2-RB6-SP2-10",
                         "4C3s2-SEW4-SEW6s2-GAP-12-10", "4C3-P2-12R-8R-10", "2x(4C3p0)-10C3-GAP"};
  for (const Config& neuron : {kPspLif, kLif}) {
    for (const char* spec : specs) {
      SCOPED_TRACE(str(spec, ' ', neuron.dump()));
      Config options = {{"bias", true},
                        {"pool", "avg"},
                        {"dropout_shared", "row"},
                        {"conv_scale", 8.0},
                        {"linear_scale", 4.0}};
      if (std::string(spec).find('R') == std::string::npos)
        options["norm"] = {{"name", "tdbn"}, {"scale", 1.5}};
      NetworkContext context = make_context(neuron, {2, 16, 16}, 10);
      context.feedback = {{"name", "random"}, {"scale", 0.25}};
      context.readout = [] { return make<Neuron>("leaky_readout", {{"leak", 0.5}}); };
      expect_rebuilds(make_spec(spec, context, options));
    }
  }
}

TEST(NetworkConfig, BlocksAndHeadsRebuild) {
  torch::manual_seed(6);
  for (const bool before_pooling : {false, true}) {
    for (const char* spec : {"4C3-P2-6C3-AP2-D0.5-8-10", "4C3-P2-RB6s2-8R-10", "4C3-SEW6-MP2-8-10"}) {
      SCOPED_TRACE(spec);
      NetworkContext context = make_context(kPspLif, {2, 12, 12}, 10);
      context.readout = [] { return make<Neuron>("leaky_readout", {{"leak", 0.5}}); };
      const auto network = make_spec(spec, context, {{"conv_scale", 3.0}, {"linear_scale", 2.0}});
      network->partition({1, 1, 1}, before_pooling);
      const auto head = make<Head>("linear", {{"weights", "sign"}, {"feedback", "random"}, {"pool_to", 30}});
      for (const int64_t b : {0, 1})
        network->attach_head(b, head->build(network->block_shape(b), {10}, context.readout()));
      expect_rebuilds(network);
    }
  }
}

TEST(NetworkConfig, GraphsThatNoNotationSaysRebuild) {
  // Node 0 reads node 1 one step late, before that is there.
  auto network = std::make_shared<Network>(Shape{3});
  const auto layer = [](const std::vector<int64_t>& features) {
    std::vector<Connection> connections;
    for (const int64_t n : features)
      connections.push_back({make<Synapse>("linear", {{"features", n}, {"weight_scale", 3.0}})});
    return std::make_shared<Layer>(std::move(connections), make<Neuron>("lif"));
  };
  const int64_t low = network->add(layer({4, 4}), {{Network::kInput}, {1, 1, {2}}}, true, "low");
  const int64_t high = network->add(layer({2}), {{low}}, true, "high");
  network->add(layer({5, 5}), {{high}, {low}}, true, "out");
  expect_rebuilds(network);
}

TEST(NetworkConfig, AForeignCarryAndAMissingStageAreRefused) {
  const auto network = make_spec("8R-4", make_context({{"name", "lif"}}, {6}, 4));
  const Signal x = Signal::dense(torch::zeros({2, 1, 6}));
  Carry none, other = make_spec("4", make_context({{"name", "lif"}}, {6}, 4))->start(),
              carry = network->start();
  EXPECT_THROW(network->forward(x, {}, none), UsageError);
  EXPECT_THROW(network->forward(x, {}, other), UsageError);
  EXPECT_THROW(network->forward({}, {}, carry), UsageError);
  EXPECT_THROW(Network({6}).add(nullptr, /*new_unit=*/true), UsageError);
  EXPECT_NO_THROW(network->forward(x, {}, carry));
}

TEST(NetworkConfig, WhatIsNoNetworkIsRefused) {
  const auto network = make_spec("4-3", make_context(kLif, {2}, 3));
  const auto error = [&](const std::function<void(Config&)>& spoil) {
    Config config = network->config();
    spoil(config);
    return message_of<UsageError>([&] { Network::from_config(config); });
  };
  EXPECT_NE(error([](Config& c) { c.erase("nodes"); }).find("nodes"), std::string::npos);
  EXPECT_NE(error([](Config& c) { c["nodes"][0]["stage"]["neuron"]["name"] = "liff"; }).find("liff"),
            std::string::npos);
  EXPECT_NE(error([](Config& c) { c["blocks"] = {1}; }).find("blocks"), std::string::npos);
  EXPECT_NE(error([](Config& c) { c["input"] = "here"; }).find("Network::config()"), std::string::npos);
  EXPECT_NE(error([](Config& c) { c["nodes"][0]["inputs"][0]["node"] = 1; }).find("comes later"),
            std::string::npos);
  // A part that no registry made has no name to write.
  struct Nameless : Stage {
    Shape build(const std::vector<Shape>& in) override { return in.at(0); }
    Signal forward(const std::vector<Signal>& in, const Context&, Carry&) override { return in[0]; }
    std::vector<StageInfo> describe() const override { return {StageInfo()}; }
  };
  network->add(std::make_shared<Nameless>(), false);
  EXPECT_NE(message_of<UsageError>([&] { network->config(); }).find("not made by a registry"),
            std::string::npos);
}

}  // namespace spiketrain::network_config_test
