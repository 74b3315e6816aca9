// Networks from NIR graphs: the time step, conventions, joins, and that they are trained and saved like any other.
#include <gtest/gtest.h>

#include "spiketrain/nir/import.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/nir_graphs.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"

namespace spiketrain::nir_network_test {

bool says(const std::vector<std::string>& notes, const std::string& word) {
  for (const std::string& note : notes)
    if (note.find(word) != std::string::npos) return true;
  return false;
}

NirGraph with(const std::string& field, double value, const std::string& type = "LIF") {
  NirGraph graph = nir_chain();
  NirNode& lif = nir_at(graph, "lif");
  lif.type = type;
  if (type == "IF") {
    lif.fields.arrays.erase("tau");
    lif.fields.arrays.erase("v_leak");
  }
  lif.fields.arrays[field] = each(3, value);
  return graph;
}

TEST(NirNetwork, TheTimeStepAndItsReason) {
  const auto dt = [](const NirGraph& graph, const std::string& reason, double given = 0) {
    NirImportOptions options;
    options.dt = given;
    const NirImport made = network_from_nir(graph, options);
    EXPECT_TRUE(says(made.notes, reason)) << made.notes.at(0);
    return made.dt;
  };
  EXPECT_EQ(dt(nir_chain(), "r = tau/dt in node 'lif'"), 1e-4);
  EXPECT_EQ(dt(with("r", 9.999997), "r = tau/dt"), 1e-4);
  EXPECT_EQ(dt(with("r", 1), "the default: the file says nothing"), 1e-4);
  EXPECT_EQ(dt(with("r", 3), "suggest no one step"), 1e-4);
  EXPECT_EQ(dt(with("r", 1, "IF"), "r = 1 in the IF node"), 1);
  EXPECT_EQ(dt(with("r", 1000, "IF"), "r = 1/dt in the IF node"), 1e-3);
  EXPECT_EQ(dt(nir_chain(), "as given", 2e-4), 2e-4);
  NirGraph graph = nir_chain();
  graph.metadata.arrays["dt"] = NirArray::number(5e-4);
  EXPECT_EQ(dt(graph, "metadata"), 5e-4);
  EXPECT_EQ(network_from_nir(graph).network->dt(), 5e-4) << "the network keeps it";
  graph.metadata.arrays["dt"] = NirArray::number(-1);
  EXPECT_NE(message_of<UsageError>([&] { network_from_nir(graph); }).find("metadata of the graph: dt"),
            std::string::npos);
  graph.metadata.texts["dt"] = "0.00025";
  EXPECT_EQ(dt(graph, "metadata"), 2.5e-4);
  for (const char* text : {"", "0.1s", "dt", "nan"}) {
    graph.metadata.texts["dt"] = text;
    const std::string what = message_of<UsageError>([&] { network_from_nir(graph); });
    EXPECT_NE(what.find(str("dt: expected seconds above 0, got '", text, "'")), std::string::npos) << what;
  }
}

/// tau 1e-3 and r 0.1 would be a step of 0.01 s.
TEST(NirNetwork, AStepThatNoTimeConstantFitsIsNotGuessed) {
  const NirImport made = network_from_nir(with("r", 0.1));
  EXPECT_EQ(made.dt, 1e-4);
  EXPECT_TRUE(
      says(made.notes,
           "r = tau/dt in node 'lif' would be a step of 0.01 s, longer than a time constant of 0.001 s"))
      << made.notes.at(0);
  const std::string what = message_of<UsageError>([] {
    NirGraph graph = nir_chain();
    graph.metadata.arrays["dt"] = NirArray::number(1);
    network_from_nir(graph);
  });
  EXPECT_NE(what.find("the step is 1 s (from the metadata of the graph)"), std::string::npos) << what;
}

/// float32 puts tau beside the step; what is left of the membrane is nothing all the same.
TEST(NirNetwork, AStepAsLongAsTheTimeConstant) {
  NirGraph graph = with("tau", 1e-4);
  nir_at(graph, "lif").fields.arrays["r"] = each(3, 1);
  const NirImport made = network_from_nir(graph);
  EXPECT_FALSE(says(made.notes, "negative"));
  EXPECT_EQ(layer_of(*made.network, "lif").neuron()->config()["leak"], 0);
}

TEST(NirNetwork, OptionsAreCheckedAndThoseWithoutAUseAreNoted) {
  NirImportOptions options;
  options.order = "bogus";
  EXPECT_NE(message_of<UsageError>([&] {
              network_from_nir(nir_chain(), options);
            }).find("order: expected new or old, got 'bogus'"),
            std::string::npos);
  options.order = "old";
  EXPECT_TRUE(says(network_from_nir(nir_chain(), options).notes,
                   "option order: no node of this graph has a use for it"));
  options = {};
  options.surrogate = "bogus";
  EXPECT_NE(message_of<UsageError>([&] { network_from_nir(nir_chain(), options); }).find("bogus"),
            std::string::npos);
  options = {};
  options.surrogate_scale = 3;
  EXPECT_EQ(
      layer_of(*network_from_nir(nir_chain(), options).network, "lif").neuron()->config()["surrogate_scale"],
      3);
  options.surrogate_scale = -3;
  EXPECT_THROW(network_from_nir(nir_chain(), options), UsageError);
  options = {};
  options.reset_delay = "yes";
  EXPECT_NE(message_of<UsageError>([&] {
              network_from_nir(nir_chain(), options);
            }).find("reset_delay: expected true or false"),
            std::string::npos);
}

TEST(NirNetwork, ResetDelayAndSurrogateOfMetadata) {
  NirGraph graph = nir_chain();
  nir_at(graph, "lif").metadata.texts = {
      {"reset", "subtract"}, {"reset_delay", "true"}, {"surrogate", "triangle"}};
  NirImport made = network_from_nir(graph);
  Config neuron = layer_of(*made.network, "lif").neuron()->config();
  EXPECT_EQ(neuron["reset_delay"], true);
  EXPECT_EQ(neuron["surrogate"], "triangle");
  EXPECT_TRUE(says(made.notes, "node 'lif' (LIF): reset_delay true, from its metadata"));
  NirImportOptions options;
  options.reset_delay = "false";
  neuron = layer_of(*network_from_nir(graph, options).network, "lif").neuron()->config();
  EXPECT_EQ(neuron["reset_delay"], false);
  nir_at(graph, "lif").metadata.texts = {{"surrogate", "of my own"}};
  EXPECT_TRUE(says(network_from_nir(graph).notes, "surrogate 'of my own' is not known; left aside"));
}

/// What this library has written of a neuron counts but for the coefficients that others have changed in the fields.
TEST(NirNetwork, ChangedFieldsLeaveTheConventions) {
  NirGraph graph = nir_chain();
  nir_at(graph, "lif").metadata.texts["spiketrain"] =
      R"({"name": "lif", "leak": 0.8, "gain": 1, "reset": "soft", "reset_delay": true, "surrogate": "triangle", "strict": false})";
  const NirImport made = network_from_nir(graph);
  const Config neuron = layer_of(*made.network, "lif").neuron()->config();
  EXPECT_NEAR(neuron["leak"].get<double>(), 0.9, 1e-6);
  EXPECT_EQ(neuron["reset"], "soft");
  EXPECT_EQ(neuron["reset_delay"], true);
  EXPECT_EQ(neuron["surrogate"], "triangle");
  EXPECT_EQ(neuron["strict"], false);
  EXPECT_TRUE(says(made.notes, "other values than the neuron in its metadata for leak; the fields count"));
  NirImportOptions options;
  options.reset = "subtract";
  const Config same = layer_of(*network_from_nir(graph, options).network, "lif").neuron()->config();
  EXPECT_EQ(same["reset"], "soft");
  EXPECT_EQ(same["reset_delay"], true);
  options.reset = "zero";
  const Config other = layer_of(*network_from_nir(graph, options).network, "lif").neuron()->config();
  EXPECT_EQ(other["reset"], "hard");
  EXPECT_EQ(other["reset_delay"], false);
  nir_at(graph, "lif").metadata.texts["spiketrain"] = R"({"name": "lif", "reset_by": 0.3})";
  EXPECT_EQ(layer_of(*network_from_nir(graph, options).network, "lif").neuron()->config()["reset_by"], 0);
  nir_at(graph, "lif").metadata.texts["spiketrain"] = R"({"name": "alif"})";
  EXPECT_TRUE(says(network_from_nir(graph).notes, "is not one of this type; the metadata are left aside"));
}

TEST(NirNetwork, ErrorsOfPartsNameTheNode) {
  NirGraph graph = nir_chain(1, 1);
  nir_at(graph, "input") = nir_end("Input", {1, 8});
  nir_at(graph, "fc") = nir_node("Conv1d", {{"weight", nir_weight({1, 1, 3})},
                                            {"bias", each(1, 0)},
                                            {"stride", NirArray::integer(1)},
                                            {"padding", NirArray::integer(70000)},
                                            {"dilation", NirArray::integer(1)},
                                            {"groups", NirArray::integer(1)}});
  for (auto& [name, array] : nir_at(graph, "lif").fields.arrays) array = f32({}, {array.values[0]});
  nir_at(graph, "output") = nir_end("Output", {1, 140006});
  const std::string what = message_of<UsageError>([&] { network_from_nir(graph); });
  EXPECT_EQ(what.rfind("node 'fc' (Conv1d): ", 0), 0U) << what;
}

TEST(NirNetwork, StepsThatForwardEulerCannotTake) {
  NirImportOptions options;
  options.dt = 2.1e-3;
  const std::string what = message_of<UsageError>([&] { network_from_nir(nir_chain(), options); });
  EXPECT_NE(what.find("node 'lif' (LIF): tau is 0.001 s, but the step is 0.0021 s"), std::string::npos)
      << what;
  options.dt = 1.5e-3;
  const NirImport made = network_from_nir(nir_chain(), options);
  EXPECT_TRUE(says(made.notes, "decay factor is negative"));
  options.dt = -1;
  EXPECT_THROW(network_from_nir(nir_chain(), options), UsageError);
}

Tensor run(const NirGraph& graph, const Tensor& x, const NirImportOptions& options = {}) {
  return evaluate(*network_from_nir(graph, options).network, Signal::dense(x));
}

/// u = leak*v + x; what a spike leaves of it is `after`.
Tensor expected(const Tensor& x, double leak, bool strict,
                const std::function<Tensor(const Tensor&)>& after) {
  Tensor v = torch::zeros_like(x[0]);
  std::vector<Tensor> out;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const Tensor u = leak * v + x[t], s = strict ? u > 1 : u >= 1;
    v = torch::where(s, after(u), u);
    out.push_back(s.to(torch::kFloat));
  }
  return torch::stack(out);
}

/// Currents as they are: a membrane that is a multiple of 1/4 and decays by 1/2.
NirGraph exact() {
  NirGraph graph = nir_chain(3, 3);
  nir_at(graph, "fc").fields.arrays["weight"] = f32({3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  nir_at(graph, "lif") = nir_lif(3, 2e-4, 2);
  return graph;
}

TEST(NirNetwork, Conventions) {
  torch::manual_seed(1);
  const Tensor x = torch::randint(0, 7, {30, 2, 3}).to(torch::kFloat) / 4;
  NirImportOptions options;
  const auto zero = [](const Tensor& u) { return torch::zeros_like(u); };
  const auto less = [](const Tensor& u) { return u - 1; };
  EXPECT_TRUE(torch::equal(run(exact(), x), expected(x, 0.5, true, zero)));
  options.threshold = "at";
  EXPECT_TRUE(torch::equal(run(exact(), x, options), expected(x, 0.5, false, zero)));
  options.reset = "subtract";
  EXPECT_TRUE(torch::equal(run(exact(), x, options), expected(x, 0.5, false, less)));
  options.reset = "none";
  EXPECT_TRUE(
      torch::equal(run(exact(), x, options), expected(x, 0.5, false, [](const Tensor& u) { return u; })));
  options = {};
  NirGraph graph = exact();
  nir_at(graph, "lif").metadata.texts = {{"reset", "subtract"}, {"threshold_compare", "at"}};
  EXPECT_TRUE(torch::equal(run(graph, x), expected(x, 0.5, false, less)));
  EXPECT_TRUE(says(network_from_nir(graph).notes, "reset subtract, from its metadata"));
  options.reset = "zero";
  options.threshold = "strict";
  EXPECT_TRUE(torch::equal(run(graph, x, options), expected(x, 0.5, true, zero)));
  options.reset = "hard";
  EXPECT_NE(message_of<UsageError>([&] {
              run(graph, x, options);
            }).find("reset: expected zero or subtract or none"),
            std::string::npos);
  options.reset = "subtract";
  nir_at(graph, "lif").fields.arrays["v_reset"] = each(3, 0.25);
  EXPECT_NE(message_of<UsageError>([&] { run(graph, x, options); }).find("v_reset is 0.25"),
            std::string::npos);
}

TEST(NirNetwork, ScalarsStandForAllNeurons) {
  torch::manual_seed(2);
  const Tensor x = torch::rand({12, 2, 4});
  NirGraph graph = nir_chain();
  const Tensor want = run(graph, x);
  for (auto& [name, array] : nir_at(graph, "lif").fields.arrays) array = f32({}, {array.values[0]});
  EXPECT_TRUE(torch::equal(run(graph, x), want));
}

/// What is late begins with zero, a bias included.
TEST(NirNetwork, TheBiasOfARecurrentLayerActsFromTheSecondStepOn) {
  const Tensor x = torch::zeros({3, 1, 4});
  NirGraph graph = nir_recurrent("Affine");
  nir_at(graph, "rec").fields.arrays["bias"] = each(3, 2);
  const Tensor y = run(graph, x);
  EXPECT_EQ(y[0].sum().item<double>(), 0);
  EXPECT_EQ(y[1].sum().item<double>(), 3);
}

TEST(NirNetwork, WhatReadsNothingButItselfIsRefused) {
  NirGraph graph = nir_chain();
  graph.nodes.emplace_back("alone", nir_lif(3));
  graph.edges.emplace_back("alone", "alone");
  EXPECT_NE(message_of<UsageError>([&] {
              network_from_nir(graph);
            }).find("node 'alone' (LIF): reads nothing but itself"),
            std::string::npos);
}

TEST(NirNetwork, NeuronsWithoutWeightsAndOutputsThatAreReadTwice) {
  torch::manual_seed(3);
  NirGraph graph = nir_chain(3, 3);
  graph.nodes.erase(graph.nodes.begin());
  graph.edges = {{"input", "lif"}, {"lif", "lif"}, {"lif", "output"}, {"input", "output"}};
  const Tensor x = torch::rand({10, 2, 3});
  const Tensor y = run(graph, x);
  Tensor v = torch::zeros({2, 3}), s = torch::zeros({2, 3});
  for (int64_t t = 0; t < 10; ++t) {
    v = static_cast<float>(0.9) * v + (x[t] + s);
    s = (v > 1).to(torch::kFloat);
    v = v * (1 - s);
    EXPECT_TRUE(torch::equal(y[t], s + x[t])) << t;
  }
}

/// Bits of maps lie pixel by pixel, whatever the currents do.
TEST(NirNetwork, NeuronsOnMapsThatLieMapByMap) {
  torch::manual_seed(6);
  NirGraph graph = nir_chain(3, 3);
  nir_at(graph, "input") = nir_end("Input", {2, 3, 4});
  nir_at(graph, "output") = nir_end("Output", {2, 3, 4});
  graph.nodes.erase(graph.nodes.begin());
  nir_at(graph, "lif") = nir_node("Threshold", {{"threshold", f32({2, 3, 4}, std::vector<double>(24, 0.5))}});
  graph.edges = {{"input", "lif"}, {"lif", "output"}};
  const Tensor x = torch::rand({5, 3, 2, 3, 4});
  EXPECT_TRUE(torch::equal(run(graph, x), (x > 0.5).to(torch::kFloat)));
}

NirGraph all_kinds() {
  NirGraph graph = nir_chain(4, 3);
  nir_at(graph, "input") = nir_end("Input", {2, 6, 5});
  nir_at(graph, "fc").fields.arrays["weight"] = nir_weight({3, 12});
  const auto conv = [](const std::vector<int64_t>& weight, int64_t groups) {
    return nir_node("Conv2d", {{"weight", nir_weight(weight)},
                               {"bias", each(weight[0], 0.1)},
                               {"stride", NirArray::integers({1, 1})},
                               {"padding", NirArray::integers({1, 1})},
                               {"dilation", NirArray::integers({1, 1})},
                               {"groups", NirArray::integer(groups)}});
  };
  const auto pool = nir_node("AvgPool2d", {{"kernel_size", NirArray::integers({2, 3})},
                                           {"stride", NirArray::integers({2, 2})},
                                           {"padding", NirArray::integers({1, 0})}});
  NirNode lif = nir_lif(1);
  for (auto& [name, array] : lif.fields.arrays)
    array = f32({2, 6, 5}, std::vector<double>(60, array.values[0]));
  for (size_t i = 0; i < 60; ++i) lif.fields.arrays["tau"].values[i] = 1e-3 + 1e-5 * static_cast<double>(i);
  graph.nodes.insert(graph.nodes.end(),
                     {{"conv", conv({2, 1, 3, 3}, 2)},
                      {"maps", lif},
                      {"pool", pool},
                      {"pool2", nir_node("SumPool2d", {{"kernel_size", NirArray::integer(1)},
                                                       {"stride", NirArray::integers({2, 1})},
                                                       {"padding", NirArray::integer(0)}})},
                      {"late", nir_node("Delay", {{"delay", f32({3}, {0, 1e-4, 3e-4})}})},
                      {"gain", nir_node("Scale", {{"scale", f32({3}, {1, 2, 3})}})},
                      {"flat", nir_node("Flatten", {{"start_dim", NirArray::integer(0)},
                                                    {"end_dim", NirArray::integer(-1)}})},
                      {"syn", nir_node("CubaLI", {{"tau_syn", each(3, 5e-4)},
                                                  {"tau_mem", each(3, 1e-3)},
                                                  {"r", each(3, 10)},
                                                  {"v_leak", each(3, 0)},
                                                  {"w_in", each(3, 1)}})},
                      {"rec", nir_node("Linear", {{"weight", nir_weight({3, 3})}})}});
  graph.edges = {{"input", "conv"}, {"conv", "maps"}, {"maps", "pool"}, {"pool", "pool2"}, {"pool2", "flat"},
                 {"flat", "fc"},    {"fc", "lif"},    {"lif", "rec"},   {"rec", "lif"},    {"lif", "late"},
                 {"late", "gain"},  {"gain", "syn"},  {"syn", "output"}};
  nir_at(graph, "pool").fields.arrays["stride"] = NirArray::integers({2, 1});
  nir_at(graph, "fc").fields.arrays["weight"] = nir_weight({3, 2 * 2 * 3});
  return graph;
}

TEST(NirNetwork, IsSavedAndLoaded) {
  torch::manual_seed(4);
  TempDir dir;
  const auto network = network_from_nir(all_kinds()).network;
  save_weights(dir / "w.safetensors", *network, {}, {});
  const auto back = load_network(dir / "w.safetensors");
  EXPECT_EQ(back->config(), network->config());
  EXPECT_TRUE(same_tensors(network_tensors(*back), network_tensors(*network)));
  const Signal x = Signal::dense(torch::rand({8, 2, 2, 6, 5}));
  EXPECT_TRUE(torch::equal(evaluate(*back, x), evaluate(*network, x)));
}

TEST(NirNetwork, CreditReachesEveryWeight) {
  torch::manual_seed(5);
  const auto network = network_from_nir(all_kinds()).network;
  Carry carry = network->start();
  const Tensor x = torch::rand({12, 3, 2, 6, 5}) * 3;
  network->forward(Signal::dense(x), train_context(), carry).values().square().sum().backward();
  for (const auto& item : network->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().sum().item<double>(), 0) << item.key();
  }
}

TEST(NirNetwork, DelaysAreWholeSteps) {
  NirGraph graph = all_kinds();
  EXPECT_FALSE(says(network_from_nir(graph).notes, "rounded"));
  nir_at(graph, "late").fields.arrays["delay"].values[1] = 1.4e-4;
  EXPECT_TRUE(says(network_from_nir(graph).notes,
                   "node 'late' (Delay): delays are rounded to integer steps, 1.4 to 1"));
}

}  // namespace spiketrain::nir_network_test
