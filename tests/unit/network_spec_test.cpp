// Networks built from a specification: shapes, sizes known from the papers, echo, errors, blocks.
#include <gtest/gtest.h>

#include "spiketrain/train/runtime.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::network_spec_test {

const Config kPspLif = {{"name", "psp_lif"}}, kLif = {{"name", "lif"}};

struct Sizes {
  int64_t parameters = 0, macs = 0, neurons = 0;
};
Sizes sizes(const Network& network) {
  Sizes sum;
  for (const StageInfo& row : rows_of(network)) {
    sum.parameters += row.parameters;
    sum.macs += row.macs;
    sum.neurons += row.neurons;
  }
  EXPECT_EQ(sum.parameters, network.parameter_count());
  return sum;
}

std::string error(const std::string& spec, const Shape& input = {1, 28, 28},
                  const Config& options = Config::object()) {
  try {
    make_spec(spec, make_context(kPspLif, input, 10), options);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "no error";
}

TEST(NetworkSpec, ParametersAndMacsOfTheTsslNetworks) {
  struct Case {
    const char* model;
    Shape input;
    int64_t parameters;
    double mmacs, unit;  // multiply-accumulates as published, and the unit of their last digit, in millions
  };
  const Case cases[] = {{"tssl_mnist", {1, 28, 28}, 210375, 1.37, 0.01},
                        {"tssl_fmnist_mlp", {1, 28, 28}, 477600, 0.48, 0.01},
                        {"tssl_fmnist_cnn", {1, 28, 28}, 3273504, 13.9, 0.1},
                        {"tssl_nmnist", {2, 34, 34}, 42840, 3.40, 0.01},
                        {"tssl_cifar_cnn1", {3, 32, 32}, 21156384, 615, 1},
                        {"tssl_cifar_cnn2", {3, 32, 32}, 44999040, 1246, 1}};
  for (const Case& c : cases) {
    const auto network =
        make<NetworkBuilder>("preset", {{"model", c.model}})->build(make_context(kPspLif, c.input, 10));
    const Sizes sum = sizes(*network);
    EXPECT_EQ(sum.parameters, c.parameters) << c.model;
    EXPECT_NEAR(static_cast<double>(sum.macs) / 1e6, c.mmacs, c.unit / 2 * 1.001) << c.model;
    EXPECT_EQ(network->out_shape(), Shape{10});
  }
}

TEST(NetworkSpec, EveryTokenIsANode) {
  const auto network = make_spec("15C5-P2-40C5-P2-D0.2-300-10", make_context(kPspLif, {1, 28, 28}, 10));
  const std::vector<std::pair<std::string, Shape>> expected = {
      {"", {1, 28, 28}},  {"15C5", {15, 24, 24}}, {"P2", {15, 12, 12}}, {"40C5", {40, 8, 8}},
      {"P2", {40, 4, 4}}, {"D0.2", {40, 4, 4}},   {"300", {300}},       {"10", {10}}};
  const auto& nodes = network->nodes();
  const auto rows = rows_of(*network);
  ASSERT_EQ(nodes.size(), expected.size());
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(nodes[i].token, expected[i].first);
    EXPECT_EQ(nodes[i].out, expected[i].second);
    EXPECT_EQ(nodes[i].name, std::to_string(i));
    EXPECT_EQ(rows[i].out, expected[i].second);
  }
  EXPECT_EQ(rows[0].kind, "psp filter");
  EXPECT_EQ(rows[2].kind, "sum pooling");
  EXPECT_EQ(rows[1].neurons, 15 * 24 * 24);
  EXPECT_EQ(rows[1].macs, 15 * 24 * 24 * 25);
  EXPECT_EQ(rows[6].parameters, 640 * 300);
  EXPECT_EQ(network->hidden_units(), 3);  // pooling and dropout belong to the unit before them
  EXPECT_EQ(network->blocks(), 1);
  EXPECT_EQ(network->notation(), "15C5-P2-40C5-P2-D0.2-300-10");
}

std::vector<std::string> names_of(const Network& network) {
  std::vector<std::string> names;
  for (const auto& item : network.named_parameters()) names.push_back(item.key());
  return names;
}

using Names = std::vector<std::string>;

/// Names of tensors in checkpoints, and the slots that key all random streams.
TEST(NetworkSpec, NamesAndSlotsFollowTheTokens) {
  EXPECT_EQ(names_of(*make_spec("4C3-P2-8-10", make_context(kPspLif, {1, 12, 12}, 10), {{"bias", true}})),
            (Names{"1.synapse.weight", "1.synapse.bias", "3.synapse.weight", "3.synapse.bias",
                   "4.synapse.weight", "4.synapse.bias"}));
  const auto current = make_spec("4C3-RB4-P2-RB6s2-10", make_context(kLif, {1, 12, 12}, 10));
  EXPECT_EQ(names_of(*current),
            (Names{"0.synapse.weight", "1_first.synapse.weight", "1_second.synapse.weight",
                   "3_first.synapse.weight", "3_second.synapse.weight", "3_second.synapse1.weight",
                   "4.synapse.weight"}));
  EXPECT_EQ(layer_of(*current, "1_first").slot(), 1);
  EXPECT_EQ(layer_of(*current, "1_second").slot(), 2);  // an identity takes none
  EXPECT_EQ(node_of(*current, "2").stage->slot(), 3);
  EXPECT_EQ(layer_of(*current, "3_second").slot(), 5);  // the projection has 6
  EXPECT_EQ(layer_of(*current, "4").slot(), 7);
  EXPECT_EQ(current->notation(), "4C3-RB4-P2-RB6s2-10");
  EXPECT_EQ(current->hidden_units(), 3);
  const auto output = make_spec("4C3-SEW4-SEW6s2-10", make_context(kLif, {1, 12, 12}, 10));
  EXPECT_EQ(names_of(*output), (Names{"0.synapse.weight", "1_first.synapse.weight", "1_second.synapse.weight",
                                      "2_first.synapse.weight", "2_second.synapse.weight",
                                      "2_shortcut.synapse.weight", "3.synapse.weight"}));
  EXPECT_EQ(node_of(*output, "1_sum").stage->slot(), -1);
  EXPECT_EQ(layer_of(*output, "2_shortcut").slot(), 5);
  EXPECT_EQ(layer_of(*output, "3").slot(), 6);
  EXPECT_EQ(output->notation(), "4C3-SEW4-SEW6s2-10");
}

TEST(NetworkSpec, RecurrentLayersReadThemselves) {
  const auto network = make_spec("12R-8R-10", make_context(kPspLif, {6}, 10), {{"bias", true}});
  EXPECT_EQ(network->notation(), "12R-8R-10");
  EXPECT_EQ(network->parameter_count(), 6 * 12 + 12 + 12 * 12 + 12 * 8 + 8 + 8 * 8 + 8 * 10 + 10);
  EXPECT_EQ(network->hidden_units(), 2);
  const Network::Node node = node_of(*network, "2");
  ASSERT_EQ(node.inputs.size(), 2u);
  EXPECT_EQ(node.inputs[0].node, 1);
  EXPECT_EQ(node.inputs[1].node, 2);
  EXPECT_EQ(node.inputs[1].delay, 1);
  EXPECT_EQ(layer_of(*network, "2").connections()[1].synapse->weight().sizes(), at::IntArrayRef({8, 8}));
  EXPECT_NE(error("12R-10", {6}, {{"norm", "bn"}}).find("token 1 \"12R\": a recurrent layer runs one step"),
            std::string::npos);
  // Norms of other layers do not mind.
  EXPECT_NO_THROW(make_spec("12-10R", make_context(kLif, {6}, 10), {{"norm", "bn"}}));
}

TEST(NetworkSpec, FeedbackGoesWhereErrorReturns) {
  NetworkContext context = make_context(kLif, {2, 8, 8}, 10);
  context.feedback = {{"name", "random"}};
  const auto network = make_spec("P2-4C3p1-RB6s2-8R-10", context);
  const auto has = [&](const char* node, size_t connection) {
    return layer_of(*network, node).connections().at(connection).feedback != nullptr;
  };
  EXPECT_FALSE(has("1", 0));  // nothing below it learns
  EXPECT_TRUE(has("2_first", 0));
  EXPECT_TRUE(has("2_second", 0));
  EXPECT_TRUE(has("2_second", 1));
  EXPECT_TRUE(has("3", 0));
  EXPECT_TRUE(has("3", 1));
  EXPECT_TRUE(has("4", 0));  // the output layer's is the one that feedback alignment is about
  const auto plain = make_spec("P2-4C3p1-RB6s2-8R-10", make_context(kLif, {2, 8, 8}, 10));
  network->initialise(5);
  plain->initialise(5);
  for (const auto& item : plain->named_parameters())
    EXPECT_TRUE(torch::equal(item.value(), network->named_parameters()[item.key()])) << item.key();
  EXPECT_GT(network->named_buffers()["4.feedback.feedback"].abs().sum().item<double>(), 0);
}

TEST(NetworkSpec, OutputsMayBeMaps) {
  NetworkContext context = make_context(kLif, {2, 8, 8}, 1);
  context.output = {3, 8, 8};
  EXPECT_EQ(make_spec("4C3p1-3C3p1", context)->out_shape(), (Shape{3, 8, 8}));
  EXPECT_NE(message_of<UsageError>([&] { make_spec("4C3p1-3C3", context); }).find("expected [3, 8, 8]"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([&] { make_spec("4C3p1-3", context); }).find("must end in a convolution"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([&] {
              make<NetworkBuilder>("preset", {{"model", "vgg9"}})->build(context);
            }).find("expected an output of [N]"),
            std::string::npos);
}

TEST(NetworkSpec, OnlyNeuronsThatEmitAPspHaveTheInputFiltered) {
  EXPECT_EQ(rows_of(*make_spec("8-10", make_context(kPspLif, {4}, 10)))[0].kind, "psp filter");
  EXPECT_EQ(rows_of(*make_spec("8-10", make_context(kLif, {4}, 10)))[0].kind, "layer");
}

TEST(NetworkSpec, EchoRebuildsTheSameNetwork) {
  const std::string specs[] = {"4C5-P2-6C3p1-MP2-D0.25-12-10", "4C3s2-AP2-RB6s2-SEW6-SP2-10",
                               "2x(4C3p0)-RB4-10C3-GAP"};
  for (const char* padding : {"valid", "same"}) {
    for (const std::string& spec : specs) {
      const Config options = {{"padding", padding}, {"pool", "avg"}, {"norm", "bn"}, {"bias", true}};
      const NetworkContext context = make_context(kPspLif, {2, 28, 28}, 10);
      const auto first = make_spec(spec, context, options);
      const auto second = make_spec(first->notation(), context, options);
      EXPECT_EQ(first->notation(), second->notation());
      const auto a = rows_of(*first), b = rows_of(*second);
      ASSERT_EQ(a.size(), b.size());
      for (size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].kind, b[i].kind);
        EXPECT_EQ(a[i].out, b[i].out);
        EXPECT_EQ(a[i].parameters, b[i].parameters);
      }
    }
  }
  EXPECT_EQ(make_spec("32C5-10", make_context(kLif, {1, 28, 28}, 10), {{"padding", "same"}})->notation(),
            "32C5p2-10");
}

TEST(NetworkSpec, OptionsReachTheLayers) {
  const NetworkContext context = make_context(kPspLif, {1, 12, 12}, 10);
  const auto plain = make_spec("4C3-8-10", context);
  const auto bias = make_spec("4C3-8-10", context, {{"bias", true}});
  const auto normed = make_spec("4C3-8-10", context, {{"norm", {{"name", "tdbn"}, {"scale", 0.5}}}});
  EXPECT_EQ(bias->parameter_count() - plain->parameter_count(), 4 + 8 + 10);
  EXPECT_EQ(normed->parameter_count() - plain->parameter_count(), 2 * (4 + 8));  // not on the output layer
  for (const char* name : {"1", "2"})
    EXPECT_EQ(layer_of(*normed, name).connections()[0].norm->config()["scale"], 0.5);
  EXPECT_EQ(layer_of(*normed, "3").connections()[0].norm, nullptr);
  EXPECT_EQ(make_spec("4C3-8-10", context, {{"norm", "none"}})->parameter_count(), plain->parameter_count());
  const auto scaled = make_spec("4C3-8-10", context, {{"conv_scale", 5.0}, {"linear_scale", 2.0}});
  plain->initialise(3);
  scaled->initialise(3);
  const auto a = plain->parameters(), b = scaled->parameters();
  EXPECT_TRUE(torch::allclose(a[0] * 5, b[0]));
  EXPECT_TRUE(torch::allclose(a[1] * 2, b[1]));
  EXPECT_TRUE(torch::equal(make_spec("4C3-8-10", context)->parameters()[0], torch::zeros({4, 1, 3, 3})));
}

TEST(NetworkSpec, StandardisedWeightsAndScaledOutputs) {
  const NetworkContext context = make_context({{"name", "lif"}}, {1, 12, 12}, 10);
  const char* const spec = "4C3-P2-RB6-8R-10";
  const auto plain = make_spec(spec, context);
  const auto net = make_spec(spec, context, {{"weight_standardisation", true}, {"output_scale", 2.74}});
  // A gain for each output of every synapse below the output layer: the recurrent one, the shortcut's too.
  EXPECT_EQ(net->parameter_count() - plain->parameter_count(), 4 + 3 * 6 + 2 * 8);
  for (const char* name : {"0_scale", "2_scale", "3_scale"})
    EXPECT_EQ(node_of(*net, name).stage->config()["factor"], 2.74) << name;
  EXPECT_EQ(net->nodes().size(), plain->nodes().size() + 3);
  net->initialise(3);
  const Tensor W = layer_of(*net, "0").connections()[0].weight(true).detach().flatten(1);
  EXPECT_LE(W.mean(1).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(torch::allclose(W.var(1) * W.size(1), torch::ones({4}), 1e-2));
  const auto rebuilt = Network::from_config(net->config());
  EXPECT_EQ(rebuilt->config(), net->config());
}

TEST(NetworkSpec, TheOutputLayerHasTheReadoutNeuron) {
  for (const char* spec : {"4C3-8-10", "4C3-10C3-GAP", "10"}) {
    NetworkContext context = make_context(kPspLif, {1, 12, 12}, 10);
    int hidden = 0, readout = 0;
    const auto make = context.neuron;
    context.neuron = [&, make] { return ++hidden, make(); };
    context.readout = [&, make] { return ++readout, make(); };
    make_spec(spec, context);
    EXPECT_EQ(readout, 1) << spec;
    EXPECT_EQ(hidden, spec == std::string("10") ? 0 : std::string(spec) == "4C3-8-10" ? 2 : 1) << spec;
  }
}

TEST(NetworkSpec, ErrorsNameTheTokenAndTheShape) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"15C5-P2",
       "token 2 \"P2\": a network must end in a layer with one neuron for each of the 10 outputs; append "
       "\"-10\" for the output layer"},
      {"15C5-300",
       "the last layer must have one neuron for each of the 10 outputs, it has 300; write 10 in its place, or append \"-10\" for the output layer behind it"},
      {"15C5-GAP",
       "token 2 \"GAP\": as the last token it must follow a convolution with one map for each of the 10"},
      {"GAP", "append \"-10\""},
      {"10-D0.5", "token 2 \"D0.5\": a network must end"},
      {"300-15C5-10", "token 2 \"15C5\": needs a map [C,H,W], the signal here is [300]"},
      {"300-P2-10", "token 2 \"P2\": needs a map"},
      {"300-RB4-10", "token 2 \"RB4\": needs a map"},
      {"300-GAP-10", "token 2 \"GAP\": needs a map"},
      {"3x(15C11)-10",
       "token 3 \"15C11\": the 11x11 kernel does not fit the map, the signal here is [15, 8, 8]"},
      {"15C5-P25-10",
       "token 2 \"P25\": the 25x25 window does not fit the map, the signal here is [15, 24, 24]"},
      {"65536C63p63-65536C63p63-10", "weights up to here; at most"},
      {"16777216-16777216-10", "weights up to here; at most"},
  };
  for (const auto& [spec, expected] : cases) {
    const std::string message = error(spec);
    EXPECT_NE(message.find(expected), std::string::npos)
        << spec << "\n  gave: " << message << "\n  not: " << expected;
  }
  EXPECT_NE(error("4C2-10", {1, 28, 28}, {{"padding", "same"}}).find("needs an odd kernel size"),
            std::string::npos);
  EXPECT_NE(error("4C3-GAP-10", {1, 20, 24}).find("the signal here is [4, 18, 22]"), std::string::npos);
  EXPECT_NE(error("10", {3, 4}).find("expected an input of [C,H,W] or [N]"), std::string::npos);
  EXPECT_NE(error("15C5-Q2").find("unknown letter 'Q'"), std::string::npos);
}

TEST(NetworkSpec, SizesAreCheckedBeforeAnythingIsAllocated) {
  // 4 GiB of weights fit the limit up to the last token; nothing of them may be allocated before it is seen.
  const double before = peak_memory_mib();
  EXPECT_NE(error("10000-100000-100000-10").find("token 3 \"100000\": the network has 1.1"),
            std::string::npos)
      << error("10000-100000-100000-10");
  EXPECT_NE(error("65536C3-P2-65536C1-10", {1, 512, 512}).find("neurons and sums up to here"),
            std::string::npos);
  EXPECT_NE(error("10", {3, 65536, 65536}).find("at most 2.6"), std::string::npos);
  EXPECT_NE(error("10", {INT64_MAX, INT64_MAX, INT64_MAX}).find("an input of"), std::string::npos);
  EXPECT_LT(peak_memory_mib() - before, 100);
  // What is counted is what is built.
  for (const char* spec : {"4C3s2-P2-10", "4C3p2-RB6s2-SEW6-GAP-12R-10", "2x(8C3)-D0.1-20-10"})
    EXPECT_EQ(error(spec), "no error") << spec;
}

TEST(NetworkSpec, TheInputIsNotWritten) {
  EXPECT_NE(error("784-1000-10").find("token 1 \"784\": as many neurons as the input [1, 28, 28] has values"),
            std::string::npos)
      << error("784-1000-10");
  EXPECT_NE(error("12-10", {12}).find("leave it out, or write 1x(12)"), std::string::npos);
  // A hidden layer of that size can be meant; the output layer always is.
  EXPECT_EQ(error("1x(12)-10", {12}), "no error");
  EXPECT_EQ(error("12R-10", {12}), "no error");
  EXPECT_EQ(error("11-12-10", {12}), "no error");
  EXPECT_EQ(error("10", {10}), "no error");
}

TEST(NetworkSpec, ResNet18HasItsSize) {
  for (const char* name : {"spiking_resnet18", "sew_resnet18"}) {
    const auto network =
        make<NetworkBuilder>(name, {{"width", 16}})->build(make_context(kLif, {3, 32, 32}, 10));
    // Convolutions w = 16: stem 27w; group 1: 4*9ww; group g: 9mn + 3*9nn + mn with m -> n = 2m; two numbers
    // per norm.
    int64_t weights = 27 * 16 + 4 * 9 * 16 * 16 + 10 * 128, norms = 16 + 4 * 16;
    for (int64_t m : {16, 32, 64}) {
      const int64_t n = 2 * m;
      weights += 9 * m * n + 27 * n * n + m * n;
      norms += 5 * n;
    }
    EXPECT_EQ(sizes(*network).parameters, weights + 2 * norms) << name;
    EXPECT_EQ(network->hidden_units(), 9);
    EXPECT_EQ(network->out_shape(), Shape{10});
  }
}

TEST(NetworkSpec, PresetsBuild) {
  for (const char* model : {"vgg9", "vgg11"}) {
    const auto network =
        make<NetworkBuilder>("preset", {{"model", model}})->build(make_context(kLif, {3, 32, 32}, 10));
    int64_t layers = 0;
    for (const StageInfo& row : rows_of(*network)) layers += row.kind == "layer";
    EXPECT_EQ(layers, model == std::string("vgg9") ? 9 : 11);
  }
}

TEST(NetworkSpec, ForwardAndBackwardWithSeveralNeurons) {
  for (const Config& neuron : {kPspLif, kLif, Config{{"name", "if"}}}) {
    for (const char* spec : {"4C3-P2-D0.5-8-5", "4C3-MP2-RB6s2-SEW6-SEW8s2-GAP-5", "6C3p1s2-5C3-GAP"}) {
      for (const bool constant : {false, true}) {
        const auto network = make_spec(spec, make_context(neuron, {2, 9, 9}, 5), {{"norm", "bn"}});
        network->initialise(1);
        const Tensor x = binary_input(4, 3, {2, 9, 9}, 5);
        const Signal input =
            constant ? Signal::constant(x.slice(0, 0, 1), torch::ones({4})) : Signal::dense(x);
        Carry carry = network->start();
        const Tensor y = network->forward(input, train_context(1, 2), carry).values();
        EXPECT_EQ(y.sizes().vec(), (std::vector<int64_t>{4, 3, 5})) << spec;
        y.sum().backward();
        for (const auto& p : network->named_parameters()) {
          EXPECT_TRUE(p.value().grad().defined()) << spec << ' ' << p.key();
        }
      }
    }
  }
}

TEST(NetworkSpec, QuantizerReachesEveryLayerAndSurvivesRebuilding) {
  const auto context = make_context({{"name", "lif"}}, {1, 8, 8}, 4);
  const auto network = make_spec("4C3-P2-RB6-4", context,
                                 {{"quantizer", {{"name", "uniform"}, {"bits", 4}}}, {"padding", "same"}});
  const auto again = Network::from_config(network->config());
  for (const auto& net : {network, again}) {
    int64_t synapses = 0;
    for (const auto& layer : net->layers(0, /*head=*/false)) {
      for (const Connection& c : layer->connections()) {
        if (!c.synapse) continue;
        ++synapses;
        ASSERT_TRUE(c.quantizer);
        EXPECT_EQ(c.quantizer->config().at("bits"), 4);
      }
    }
    EXPECT_EQ(synapses, 5);  // the residual unit has two layers and a projection
  }
  const auto plain = make_spec("4C3-4", context, {{"quantizer", "none"}});
  EXPECT_FALSE(plain->layers(0, false).at(0)->connections()[0].quantizer);
}

}  // namespace spiketrain::network_spec_test
