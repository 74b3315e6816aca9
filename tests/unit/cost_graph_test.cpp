// The rows of a network and the graph they form: who reads whom, what the signals are made of, where credit flows.
#include "spiketrain/cost/cost_graph.h"

#include <gtest/gtest.h>

#include "spiketrain/core/head.h"
#include "spiketrain/cost/cost.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::cost_graph_test {

using Sources = std::vector<int64_t>;

const Config kLif = {{"name", "lif"}};
const Shape kMaps = {2, 8, 8};

std::shared_ptr<Network> network(const char* spec, const Shape& in = kMaps,
                                 const Config& options = Config::object(), const Config& neuron = kLif) {
  return make_spec(spec, make_context(neuron, in, 3), options);
}

std::vector<std::string> kinds(const std::vector<NetworkRow>& rows) {
  std::vector<std::string> list;
  for (const NetworkRow& row : rows) list.push_back(row.kind);
  return list;
}

TEST(CostGraph, AChainReadsTheRowBefore) {
  const auto rows = network_rows(*network("4C3p1-MP2-6-3"));
  EXPECT_EQ(kinds(rows), (std::vector<std::string>{"layer", "max pooling", "layer", "layer"}));
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].sources, (Sources{static_cast<int64_t>(i) - 1})) << i;
    EXPECT_EQ(rows[i].node, static_cast<int64_t>(i));
  }
  const auto nodes = cost_graph(rows, {kMaps, Values::binary, false, 0.5});
  EXPECT_EQ(nodes[0].inputs, 128);
  EXPECT_EQ(nodes[2].inputs, 64);
  EXPECT_TRUE(nodes[2].reads_binary);  // a maximum of spikes is one
  EXPECT_EQ(nodes[0].read_rate, 0.5);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(nodes[i].pulls, i > 0) << i;
    EXPECT_TRUE(nodes[i].grad) << i;
    EXPECT_FALSE(nodes[i].by_step) << i;
  }
}

TEST(CostGraph, FrozenLayersLearnNothing) {
  const auto net = network("4C3p1-6-5-3");
  const auto before = network_rows(*net);
  CostOptions options;
  options.input = {kMaps, Values::binary, false, 0.5};
  options.plan = {{0, 2}};
  const CostReport all = measure_cost(before, options);
  for (const size_t frozen : {0, 1})
    for (const Tensor& p : net->nodes()[frozen].stage->parameters()) Tensor(p).set_requires_grad(false);
  const auto rows = network_rows(*net);
  const std::vector<bool> learns = {false, false, true, true};
  const auto nodes = cost_graph(rows, options.input);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].frozen, !learns[i]) << i;
    EXPECT_EQ(nodes[i].grad, learns[i]) << i;
    EXPECT_EQ(nodes[i].pulls, i == 3) << i;  // below the third nobody asks
  }
  const CostReport some = measure_cost(rows, options);
  int64_t weight_gradients = 0, errors = 0;
  for (const size_t i : {0, 1}) weight_gradients += 2 * rows[i].macs;  // over two steps, all read spikes
  for (const size_t i : {1, 2}) errors += 2 * rows[i].macs;
  EXPECT_EQ(all.total.ac - some.total.ac, weight_gradients);
  EXPECT_EQ(all.total.mac_error - some.total.mac_error, errors);

  // A frozen layer above one that learns still backpropagates.
  for (const Tensor& p : net->nodes()[0].stage->parameters()) Tensor(p).set_requires_grad(true);
  EXPECT_TRUE(cost_graph(network_rows(*net), options.input)[1].pulls);
}

TEST(CostGraph, RatesFollowTheSpikes) {
  const auto net = network("4C3p1-MP2-6-3");
  std::vector<double> rates(static_cast<size_t>(net->nodes()[0].stage->slot()) + 1, 0.0);
  rates[static_cast<size_t>(net->nodes()[0].stage->slot())] = 0.1;
  const auto nodes = cost_graph(network_rows(*net), {kMaps}, rates);
  EXPECT_DOUBLE_EQ(nodes[1].read_rate, 0.1);
  EXPECT_DOUBLE_EQ(nodes[2].read_rate, 0.4);  // at most four times as often
  EXPECT_DOUBLE_EQ(nodes[3].read_rate, 1);    // not measured
}

TEST(CostGraph, ShortcutsAtTheCurrentAreInputsOfTheLayer) {
  const auto same = network_rows(*network("4C3p1-RB4-3"));
  EXPECT_EQ(kinds(same), (std::vector<std::string>{"layer", "layer", "layer", "layer"}));
  EXPECT_EQ(same[1].sources, (Sources{0}));
  EXPECT_EQ(same[2].sources, (Sources{1, 0}));  // the identity adds to the current
  EXPECT_EQ(same[3].sources, (Sources{2}));
  EXPECT_EQ(same[2].ops, 4 * 64);  // the sum
  const auto nodes = cost_graph(same, {kMaps, Values::binary});
  EXPECT_TRUE(nodes[2].reads_binary && nodes[2].pulls);

  const auto projected = network_rows(*network("4C3p1-RB6s2-3"));
  EXPECT_EQ(kinds(projected), (std::vector<std::string>{"layer", "layer", "layer", "projection", "layer"}));
  EXPECT_EQ(projected[2].sources, (Sources{1}));
  EXPECT_EQ(projected[3].sources, (Sources{0}));
  EXPECT_EQ(projected[4].sources, (Sources{2}));
  EXPECT_EQ(projected[3].node, projected[2].node);
  EXPECT_EQ(projected[2].ops, 6 * 16);
  const auto graph = cost_graph(projected, {kMaps, Values::binary});
  EXPECT_TRUE(graph[2].first && !graph[3].first);
  EXPECT_EQ(graph[3].inputs, 256);
}

TEST(CostGraph, ASumReadsSeveralRows) {
  const auto rows = network_rows(*network("4C3p1-SEW4-3"));
  EXPECT_EQ(kinds(rows), (std::vector<std::string>{"layer", "layer", "layer", "sum", "layer"}));
  EXPECT_EQ(rows[3].sources, (Sources{2, 0}));
  const auto nodes = cost_graph(rows, {kMaps, Values::binary});
  EXPECT_EQ(nodes[3].values, Values::real);  // counts,
  EXPECT_FALSE(nodes[4].reads_binary);       // which the next layer multiplies

  // A unit on the network's input.
  const auto first = network_rows(*network("SEW2-3"));
  EXPECT_EQ(first[2].sources, (Sources{1, -1}));
}

TEST(CostGraph, ARecurrentLayerReadsItself) {
  const auto rows = network_rows(*network("5R-3", {4}));
  EXPECT_EQ(kinds(rows), (std::vector<std::string>{"layer", "projection", "layer"}));
  EXPECT_EQ(rows[0].sources, (Sources{-1}));
  EXPECT_EQ(rows[1].sources, (Sources{0}));
  EXPECT_EQ(rows[1].delays, (Sources{1}));
  EXPECT_EQ(rows[2].sources, (Sources{0}));
  const auto nodes = cost_graph(rows, {{4}, Values::real, true});
  EXPECT_TRUE(nodes[0].by_step && nodes[1].by_step);
  EXPECT_FALSE(nodes[2].by_step);
  EXPECT_TRUE(nodes[0].reads_constant && nodes[0].reads_image);
  EXPECT_FALSE(nodes[1].reads_constant);
  EXPECT_TRUE(nodes[1].reads_binary && nodes[1].pulls);
  EXPECT_EQ(nodes[1].inputs, 5);
}

TEST(CostGraph, ADelayedEdgeMayLeadBackOverSeveralNodes) {
  Network net({2, 4, 4});
  const auto conv = [] { return make<Synapse>("conv2d", {{"channels", 2}, {"kernel", 1}}); };
  std::vector<Connection> two(2);
  two[0].synapse = conv();
  two[1].synapse = conv();
  net.add(std::make_shared<Layer>(two, make<Neuron>("lif")), {{Network::kInput}, {1, 1, {2, 4, 4}}}, true);
  std::vector<Connection> one(1);
  one[0].synapse = conv();
  net.add(std::make_shared<Layer>(one, make<Neuron>("leaky_readout")), true);
  const auto rows = network_rows(net);
  EXPECT_EQ(rows[1].sources, (Sources{2}));  // a later row
  const auto nodes = cost_graph(rows, {{2, 4, 4}, Values::binary});
  EXPECT_TRUE(nodes[0].by_step && nodes[1].by_step && nodes[2].by_step);
  EXPECT_FALSE(nodes[1].reads_binary);  // of a neuron that sends no spikes
  EXPECT_TRUE(nodes[1].pulls);
}

TEST(CostGraph, BlocksCutCreditAndHeadsFollowTheirBlock) {
  const auto net = network("4C3p1-P2-6C3p1-8-3");
  net->partition({1, 2});
  const auto head = make<Head>("linear");
  net->attach_head(0, head->build(net->block_shape(0), {3}, make<Neuron>("lif")));
  const auto rows = network_rows(*net);
  EXPECT_EQ(kinds(rows),
            (std::vector<std::string>{"layer", "sum pooling", "layer", "layer", "layer", "layer"}));
  EXPECT_TRUE(rows[2].head);
  EXPECT_EQ(rows[2].block, 0);
  EXPECT_EQ(rows[2].sources, (Sources{1}));  // the block's output
  EXPECT_EQ(rows[3].sources, (Sources{1}));
  EXPECT_EQ(rows[3].block, 1);
  const auto nodes = cost_graph(rows, {kMaps, Values::binary});
  EXPECT_TRUE(nodes[2].pulls);   // from the head into its block
  EXPECT_FALSE(nodes[3].pulls);  // not below the next one
  EXPECT_TRUE(nodes[4].pulls);
}

TEST(CostGraph, AConstantImageStaysConstantThroughWhatIsLinear) {
  const CostInput image = {kMaps, Values::real, true};
  const auto filtered =
      cost_graph(network_rows(*network("6C3p1-3", kMaps, Config::object(), {{"name", "psp_lif"}})), image);
  EXPECT_TRUE(filtered[0].constant);  // the filter
  EXPECT_TRUE(filtered[1].reads_constant && filtered[1].reads_image);
  EXPECT_FALSE(filtered[1].constant || filtered[2].reads_constant);

  const auto averaged = cost_graph(network_rows(*network("AP2-6C3p1-3")), image);
  EXPECT_TRUE(averaged[1].reads_constant);
  EXPECT_FALSE(averaged[1].reads_image);  // an image of its own in each segment
  const auto maxima = cost_graph(network_rows(*network("MP2-6C3p1-3")), image);
  EXPECT_FALSE(maxima[1].reads_constant);
  EXPECT_FALSE(maxima[0].grad);  // nothing below it learns
}

}  // namespace spiketrain::cost_graph_test
