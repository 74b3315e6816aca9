// NIR graphs from networks: what goes into weights and fields, and that importing them gives the same outputs; what NIR cannot say is said.
#include <gtest/gtest.h>

#include "spiketrain/nir/export.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/import.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/nir_graphs.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::nir_export_test {

const Config kHard = {{"name", "lif"}, {"leak", 0.8}, {"reset", "hard"}, {"strict", true}};

std::shared_ptr<Network> spec(const std::string& text, const Config& neuron, const Shape& input,
                              const Config& options = Config::object()) {
  auto network = make_spec(text, make_context(neuron, input, 3), options);
  network->initialise(3);
  return network;
}

Config config_of(const Network& network) { return layer_of(network, "0").neuron()->config(); }

bool says(const std::vector<std::string>& notes, const std::string& word) {
  for (const std::string& note : notes)
    if (note.find(word) != std::string::npos) return true;
  return false;
}

std::vector<std::string> types(const NirGraph& graph) {
  std::vector<std::string> list;
  for (const auto& [name, node] : graph.nodes) list.push_back(name + ":" + node.type);
  return list;
}

Signal random_input(const Network& network, int64_t steps = 15) {
  torch::manual_seed(9);
  std::vector<int64_t> sizes = {steps, 4};
  sizes.insert(sizes.end(), network.input_shape().begin(), network.input_shape().end());
  return Signal::dense(torch::rand(sizes) * 2);
}

/// Through a file and back.
std::shared_ptr<Network> again(Network& network, NirExportOptions options = {}) {
  TempDir dir;
  write_nir(dir / "a.nir", to_nir(network, options).graph);
  return network_from_nir(read_nir(dir / "a.nir")).network;
}

double off(Network& a, Network& b, int64_t steps = 15) {
  const Signal x = random_input(a, steps);
  return (evaluate(a, x) - evaluate(b, x)).abs().max().item<double>();
}

/// The greatest output of the same input.
double largest(Network& network, int64_t steps = 15) {
  return evaluate(network, random_input(network, steps)).abs().max().item<double>();
}

TEST(NirExport, ALayerIsItsWeightsAndItsNeuron) {
  const auto network = spec("5-3", kHard, {4}, {{"bias", true}});
  const NirExport exported = to_nir(*network);
  EXPECT_EQ(types(exported.graph), (std::vector<std::string>{"0:LIF", "0.w:Affine", "1:LIF", "1.w:Affine",
                                                             "input:Input", "output:Output"}));
  NirGraph graph = exported.graph;
  const NirNode lif = nir_at(graph, "0");
  EXPECT_EQ(lif.type, "LIF");
  EXPECT_EQ(lif.fields.arrays.at("r"), each(5, 1));
  EXPECT_NEAR(lif.fields.arrays.at("tau").values[4], 1e-4 / 0.2, 1e-10);
  EXPECT_EQ(lif.fields.arrays.at("v_threshold"), each(5, 1));
  EXPECT_EQ(lif.fields.arrays.at("v_reset"), each(5, 0));
  EXPECT_EQ(lif.metadata.texts.at("reset"), "zero");
  EXPECT_EQ(lif.metadata.texts.at("threshold_compare"), "strict");
  EXPECT_EQ(graph.metadata.arrays.at("dt").values, std::vector<double>{1e-4});
  const Tensor W = layer_of(*network, "0").connections()[0].synapse->weight();
  const NirArray& weight = nir_at(graph, "0.w").fields.arrays.at("weight");
  for (size_t i = 0; i < weight.values.size(); ++i)
    EXPECT_FLOAT_EQ(static_cast<float>(weight.values[i]),
                    5 * W.flatten()[static_cast<int64_t>(i)].item<float>());
  EXPECT_EQ(exported.notes.size(), 1U) << "only the step is left to say";
  EXPECT_EQ(off(*network, *again(*network)), 0);
}

TEST(NirExport, WithoutFoldingTheWeightsKeepTheirBits) {
  const auto network = spec("5-3", {{"name", "lif"}, {"leak", 0.83}, {"gain", 0.7}, {"reset", "hard"}}, {4});
  NirGraph graph = to_nir(*network, {1e-3, false}).graph;
  const Tensor W = layer_of(*network, "0").connections()[0].synapse->weight().flatten();
  const NirArray& weight = nir_at(graph, "0.w").fields.arrays.at("weight");
  for (size_t i = 0; i < weight.values.size(); ++i)
    EXPECT_EQ(static_cast<float>(weight.values[i]), W[static_cast<int64_t>(i)].item<float>());
  EXPECT_NEAR(nir_at(graph, "0").fields.arrays.at("r").values[0], 0.7 / 0.17, 1e-5);
  EXPECT_EQ(off(*network, *again(*network, {1e-3, false})), 0);
}

TEST(NirExport, EveryNeuronThatNirHas) {
  const std::vector<std::pair<Config, std::string>> list = {
      {{{"name", "lif"}, {"leak", 0.9}, {"decay_input", true}, {"reset", "hard"}, {"v_reset", -0.2}}, "LIF"},
      {{{"name", "lif"}, {"leak", 0.9}, {"v_rest", 0.1}, {"reset", "soft"}}, "LIF"},
      {{{"name", "lif"}, {"leak", 0.9}, {"reset", "soft_decayed"}, {"reset_delay", true}}, "LIF"},
      {{{"name", "lif"}, {"leak", 0.9}, {"reset", "none"}, {"learn_leak", true}}, "LIF"},
      {{{"name", "lif"}, {"leak", 1}, {"reset", "hard"}}, "IF"},
      {{{"name", "lif"}, {"leak", 1}, {"v_rest", 0.5}, {"reset", "soft"}, {"reset_delay", true}}, "IF"},
      {{{"name", "lif"}, {"leak", 0}, {"reset", "none"}, {"gain", 0.3}, {"surrogate", "triangle"}},
       "Threshold"},
      {{{"name", "lif"}, {"leak", 0.9}, {"reset_by", 0.3}}, "LIF"},
      {{{"name", "lif"}, {"leak", 0}, {"reset", "none"}, {"threshold", 0.3}}, "Threshold"},
      {{{"name", "if"}, {"reset", "hard"}, {"gain", 0.3}, {"v_reset", -0.1}}, "IF"},
      {{{"name", "if"}, {"reset", "soft_decayed"}}, "IF"},
      {{{"name", "cuba_lif"},
        {"leak_syn", 0.6},
        {"gain_syn", 0.3},
        {"leak", 0.7},
        {"gain", 0.4},
        {"reset", "hard"}},
       "CubaLIF"},
      {{{"name", "cuba_lif"}, {"order", "old"}, {"decay_input", true}, {"leak", 0.7}}, "CubaLIF"},
      {{{"name", "leaky_readout"}, {"leak", 0.7}, {"v_rest", 0.2}}, "LI"},
      {{{"name", "leaky_readout"}, {"leak", 1}, {"gain", 0.1}}, "I"},
      {{{"name", "cuba_readout"}, {"leak_syn", 0.2}, {"leak", 0.7}, {"start", "zero"}, {"v_rest", 0.2}},
       "CubaLI"}};
  for (const auto& [neuron, type] : list) {
    SCOPED_TRACE(neuron.dump());
    for (const char* per : {"layer", "neuron"}) {
      Config config = neuron;
      config["per"] = per;
      const auto network = spec("5-3", config, {4});
      NirGraph graph = to_nir(*network).graph;
      EXPECT_EQ(nir_at(graph, "0").type, type);
      for (const bool fold : {true, false}) {
        const Config back = layer_of(*again(*network, {1e-3, fold}), "0").neuron()->config();
        for (const char* key :
             {"name", "reset", "reset_by", "reset_delay", "surrogate", "strict", "order", "start"})
          if (config_of(*network).contains(key)) {
            EXPECT_EQ(back[key], config_of(*network)[key]) << key;
          }
        EXPECT_FLOAT_EQ(back.value("v_rest", 0.F), config_of(*network).value("v_rest", 0.F));
      }
      const bool spikes = neuron["name"] != "leaky_readout" && neuron["name"] != "cuba_readout";
      // Each coefficient and folded weight is rounded once and each sum in another order: a few roundings of the largest membrane.
      const double allowed = spikes ? 0 : 16 * 0x1p-24 * largest(*network);
      EXPECT_LE(off(*network, *again(*network)), allowed) << per;
      EXPECT_LE(off(*network, *again(*network, {1e-3, false})), allowed) << per;
    }
  }
}

TEST(NirExport, WhatTheFormatCannotSayIsSaid) {
  const auto notes = [](const Config& neuron) { return to_nir(*spec("5-3", neuron, {4})).notes; };
  EXPECT_TRUE(
      says(notes({{"name", "lif"}, {"reset", "soft"}}), "takes the threshold off (soft), in nodes 0, 1"));
  EXPECT_TRUE(says(notes({{"name", "lif"}}), "at the threshold, too (>=)"));
  EXPECT_TRUE(says(notes({{"name", "lif"}, {"reset_delay", true}}), "one step late"));
  EXPECT_TRUE(says(notes({{"name", "lif"}, {"v_rest", 0.5}}), "begin at rest"));
  EXPECT_TRUE(says(notes({{"name", "lif"}, {"reset_by", 0.3}}), "takes 0.3 off (soft_decayed)"));
  EXPECT_FALSE(
      says(notes({{"name", "lif"}, {"leak", 1}, {"reset", "hard"}, {"v_reset", -0.5}}), "begin at rest"));
  EXPECT_TRUE(says(notes({{"name", "lif"}, {"leak", 1}, {"v_rest", 0.5}}), "begin at rest"));
  EXPECT_TRUE(says(notes({{"name", "lif"}, {"learn_leak", true}}), "no longer learnt"));
  EXPECT_FALSE(says(notes(kHard), "rest"));
}

TEST(NirExport, RefusalsNameTheNodeAndThePart) {
  const auto refusal = [](const std::string& text, const Config& neuron, const Shape& input,
                          const Config& options = Config::object()) {
    return message_of<UsageError>([&] { to_nir(*spec(text, neuron, input, options)); });
  };
  for (const char* neuron : {"alif", "klif", "eif", "qif", "liaf"})
    EXPECT_NE(refusal("5-3", {{"name", neuron}}, {4})
                  .find(str("node '0': neuron ", neuron, ": NIR has no such neuron")),
              std::string::npos);
  for (const char* neuron : {"psp_lif", "srm0"})  // in front of which the network has filters
    EXPECT_NE(refusal("5-3", {{"name", neuron}}, {4})
                  .find(str(": neuron ", neuron, ": NIR has no such neuron; it has those of lif")),
              std::string::npos);
  EXPECT_NE(
      refusal("5-3", {{"name", "lif"}, {"raise_after_overshoot", true}}, {4}).find("node '0': neuron lif"),
      std::string::npos);
  EXPECT_NE(refusal("4C3-MP2-3", kHard, {1, 8, 8}).find("maximum pooling"), std::string::npos);
  EXPECT_NE(refusal("5-3", kHard, {4}, {{"longest_delay", 3}}).find("stage taps"), std::string::npos);
  EXPECT_NE(message_of<UsageError>([] {
              to_nir(*spec("5-3", kHard, {4}), {-1, true});
            }).find("dt"),
            std::string::npos);
}

/// A graph's time constants come back with the step that it was imported with, unless another is asked for.
TEST(NirExport, TheStepOfTheImport) {
  NirGraph graph = nir_chain();
  nir_at(graph, "lif") = nir_lif(3, 0.0025, 1);
  NirImportOptions options;
  options.dt = 1e-3;
  const auto network = network_from_nir(graph, options).network;
  NirGraph back = to_nir(*network).graph;
  EXPECT_NEAR(nir_at(back, "lif").fields.arrays.at("tau").values[0], 0.0025, 1e-9);
  EXPECT_EQ(back.metadata.arrays.at("dt").values[0], 1e-3);
  const auto copy = Network::from_config(network->config());
  EXPECT_EQ(to_nir(*copy).graph.metadata.arrays.at("dt").values[0], 1e-3);
  EXPECT_EQ(to_nir(*copy, {2e-3}).graph.metadata.arrays.at("dt").values[0], 2e-3);
  EXPECT_EQ(to_nir(*spec("5-3", kHard, {4})).graph.metadata.arrays.at("dt").values[0], 1e-4);
  EXPECT_THROW(copy->set_dt(-1), UsageError);
}

/// Names do not grow on the way.
TEST(NirExport, NamesAreTheSameAfterEveryRoundTrip) {
  NirGraph graph = nir_chain();
  graph.nodes.insert(graph.nodes.begin(), {"end", nir_node("Linear", {{"weight", nir_weight({3, 3})}})});
  graph.edges.pop_back();
  graph.edges.insert(graph.edges.end(), {{"lif", "end"}, {"end", "output"}});
  const NirGraph once = to_nir(*network_from_nir(graph).network).graph,
                 twice = to_nir(*network_from_nir(once).network).graph;
  EXPECT_EQ(types(once), (std::vector<std::string>{"end:Linear", "input:Input", "lif:LIF", "lif.w:Linear",
                                                   "output:Output"}));
  EXPECT_EQ(types(twice), types(once));
}

TEST(NirExport, PoolingAndBatchNormGoIntoTheWeights) {
  const auto network =
      spec("4C3p1-AP2-6C3-AP3-D0.5-8-3", kHard, {2, 16, 16}, {{"norm", "bn"}, {"bias", true}});
  torch::manual_seed(4);
  {
    const torch::NoGradGuard no_grad;
    for (const auto& item : network->named_buffers()) {
      if (item.key().find("running_mean") != std::string::npos)
        item.value().copy_(torch::randn(item.value().sizes()) * 0.1);
      if (item.key().find("running_var") != std::string::npos)
        item.value().copy_(torch::rand(item.value().sizes()) + 0.05);
    }
    for (const auto& item : network->named_parameters())
      if (item.key().find("norm.") != std::string::npos)
        item.value().copy_(torch::rand(item.value().sizes()) + 1);
  }
  const NirExport exported = to_nir(*network);
  int64_t sums = 0;
  for (const auto& [name, node] : exported.graph.nodes) {
    EXPECT_NE(node.type, "AvgPool2d");
    EXPECT_NE(node.type, "Scale");
    sums += node.type == "SumPool2d";
  }
  EXPECT_EQ(sums, 2);
  EXPECT_TRUE(says(exported.notes, "dropout is left out"));
  const Signal x = random_input(*network);
  const Tensor a = evaluate(*network, x), b = evaluate(*again(*network), x);
  EXPECT_GT(a.sum().item<double>(), 0);
  EXPECT_LE((a - b).abs().mean().item<double>(), 0.01);  // sums in another order: a membrane at its threshold
}

TEST(NirExport, PoolingInFrontOfWhatTakesNoFactor) {
  auto network = std::make_shared<Network>(Shape{2, 4, 4});
  network->add(make<Stage>("pool", {{"kind", "avg"}, {"window", 2}}), true);
  network->add(make<Stage>("pool", {{"kind", "sum"}, {"window", 2}, {"scale", 0.5}}), false);
  NirGraph graph = to_nir(*network).graph;
  EXPECT_EQ(nir_at(graph, "0").type, "AvgPool2d");
  EXPECT_EQ(nir_at(graph, "output_scale").type, "Scale");
  EXPECT_LE(off(*network, *again(*network)), 1e-6);
}

TEST(NirExport, RecurrentAndResidualNetworks) {
  for (const char* text : {"6R-3", "6R1-3", "5-6R-3R", "4C3p1R3-3"}) {
    SCOPED_TRACE(text);
    const auto network = spec(text, kHard, text[0] == '4' ? Shape{1, 6, 6} : Shape{4});
    EXPECT_EQ(off(*network, *again(*network), 25), 0);
  }
  for (const char* text : {"RB4-3", "SEW4s2-3", "4C3p1-SEW4-GAP-3"}) {
    SCOPED_TRACE(text);
    const auto network = spec(text, kHard, {2, 6, 6});
    EXPECT_EQ(off(*network, *again(*network)), 0);
  }
}

TEST(NirExport, WhatReadsAStepLateWithoutACycleIsRefused) {
  auto network = std::make_shared<Network>(Shape{4});
  const auto layer = [] {
    Connection c;
    c.synapse = make<Synapse>("linear", {{"features", 3}});
    return std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>(kHard));
  };
  network->add(layer(), true);
  network->add(layer(), {{0, 1}}, true);
  EXPECT_NE(message_of<UsageError>([&] { to_nir(*network); }).find("node '1': reads node '0' a step late"),
            std::string::npos);
}

}  // namespace spiketrain::nir_export_test
