// Networks built from a specification: shapes, sizes known from the papers, echo, errors, blocks.
#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"
#include "tests/support/network_fixture.h"

namespace spiketrain {
namespace {

const Config kPspLif = {{"name", "psp_lif"}}, kLif = {{"name", "lif"}};

struct Sizes {
  int64_t parameters = 0, macs = 0, neurons = 0;
};
Sizes sizes(const Network& network) {
  Sizes sum;
  for (const StageInfo& row : network.describe()) {
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
    const auto network = Registry<NetworkBuilder>::get()
                             .make({{"name", "preset"}, {"model", c.model}})
                             ->build(make_context(kPspLif, c.input, 10));
    const Sizes sum = sizes(*network);
    EXPECT_EQ(sum.parameters, c.parameters) << c.model;
    EXPECT_NEAR(static_cast<double>(sum.macs) / 1e6, c.mmacs, c.unit / 2 * 1.001) << c.model;
    EXPECT_EQ(network->out_shape(), Shape{10});
  }
}

TEST(NetworkSpec, DescribesEveryStage) {
  const auto network = make_spec("15C5-P2-40C5-P2-D0.2-300-10", make_context(kPspLif, {1, 28, 28}, 10));
  const auto rows = network->describe();
  const std::vector<std::pair<std::string, Shape>> expected = {
      {"input", {1, 28, 28}}, {"15C5", {15, 24, 24}}, {"P2", {15, 12, 12}}, {"40C5", {40, 8, 8}},
      {"P2", {40, 4, 4}},     {"D0.2", {40, 4, 4}},   {"300", {300}},       {"10", {10}}};
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].spec, expected[i].first);
    EXPECT_EQ(rows[i].out, expected[i].second);
  }
  EXPECT_EQ(rows[0].kind, "psp filter");
  EXPECT_EQ(rows[2].kind, "sum pooling");
  EXPECT_EQ(rows[1].neurons, 15 * 24 * 24);
  EXPECT_EQ(rows[1].macs, 15 * 24 * 24 * 25);
  EXPECT_EQ(rows[6].parameters, 640 * 300);
  EXPECT_EQ(network->hidden_units(), 3);  // pooling and dropout belong to the unit before them
  EXPECT_EQ(network->blocks(), 1u);
}

TEST(NetworkSpec, OnlyNeuronsThatEmitAPspHaveTheInputFiltered) {
  EXPECT_EQ(make_spec("8-10", make_context(kPspLif, {4}, 10))->describe()[0].kind, "psp filter");
  EXPECT_EQ(make_spec("8-10", make_context(kLif, {4}, 10))->describe()[0].kind, "layer");
}

TEST(NetworkSpec, EchoRebuildsTheSameNetwork) {
  const std::string specs[] = {"4C5-P2-6C3p1-MP2-D0.25-12-10", "4C3s2-AP2-RB6s2-SEW6-SP2-10",
                               "2x(4C3p0)-RB4-10C3-GAP"};
  for (const char* padding : {"valid", "same"}) {
    for (const std::string& spec : specs) {
      const Config options = {{"padding", padding}, {"pool", "avg"}, {"norm", "bn"}, {"bias", true}};
      const NetworkContext context = make_context(kPspLif, {2, 28, 28}, 10);
      const auto first = make_spec(spec, context, options);
      const auto second = make_spec(first->spec(), context, options);
      EXPECT_EQ(first->spec(), second->spec());
      const auto a = first->describe(), b = second->describe();
      ASSERT_EQ(a.size(), b.size());
      for (size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].kind, b[i].kind);
        EXPECT_EQ(a[i].out, b[i].out);
        EXPECT_EQ(a[i].parameters, b[i].parameters);
      }
    }
  }
  EXPECT_EQ(make_spec("32C5-10", make_context(kLif, {1, 28, 28}, 10), {{"padding", "same"}})->spec(),
            "32C5p2-10");
}

TEST(NetworkSpec, OptionsReachTheLayers) {
  const NetworkContext context = make_context(kPspLif, {1, 12, 12}, 10);
  const auto plain = make_spec("4C3-8-10", context);
  const auto bias = make_spec("4C3-8-10", context, {{"bias", true}});
  const auto normed = make_spec("4C3-8-10", context, {{"norm", "tdbn"}, {"tdbn_scale", 0.5}});
  EXPECT_EQ(bias->parameter_count() - plain->parameter_count(), 4 + 8 + 10);
  EXPECT_EQ(normed->parameter_count() - plain->parameter_count(), 2 * (4 + 8));  // not on the output layer
  double scale = 0;
  for (const auto& module : normed->modules()) {
    if (const auto* norm = dynamic_cast<const BatchNorm*>(module.get())) scale = norm->scale;
  }
  EXPECT_EQ(scale, 0.5);
  const auto scaled = make_spec("4C3-8-10", context, {{"conv_scale", 5.0}, {"linear_scale", 2.0}});
  plain->initialise(3);
  scaled->initialise(3);
  const auto a = plain->parameters(), b = scaled->parameters();
  EXPECT_TRUE(torch::allclose(a[0] * 5, b[0]));
  EXPECT_TRUE(torch::allclose(a[1] * 2, b[1]));
  EXPECT_TRUE(torch::equal(make_spec("4C3-8-10", context)->parameters()[0], torch::zeros({4, 1, 3, 3})));
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
       "token 2 \"P2\": a network must end in a layer with one neuron for each of the 10 classes; append "
       "\"-10\" for the output layer"},
      {"15C5-300",
       "the last layer must have one neuron for each of the 10 classes, it has 300; append \"-10\""},
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

TEST(NetworkSpec, ResNet18HasItsSize) {
  for (const char* name : {"spiking_resnet18", "sew_resnet18"}) {
    const auto network = Registry<NetworkBuilder>::get()
                             .make({{"name", name}, {"width", 16}})
                             ->build(make_context(kLif, {3, 32, 32}, 10));
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
    const auto network = Registry<NetworkBuilder>::get()
                             .make({{"name", "preset"}, {"model", model}})
                             ->build(make_context(kLif, {3, 32, 32}, 10));
    int64_t layers = 0;
    for (const StageInfo& row : network->describe()) layers += row.kind == "layer";
    EXPECT_EQ(layers, model == std::string("vgg9") ? 9 : 11);
  }
}

TEST(NetworkSpec, ForwardAndBackwardWithSeveralNeurons) {
  for (const Config& neuron : {kPspLif, kLif, Config{{"name", "if"}}}) {
    for (const char* spec : {"4C3-P2-D0.5-8-5", "4C3-MP2-RB6s2-SEW6-SEW8s2-GAP-5", "6C3p1s2-5C3-GAP"}) {
      for (const bool stationary : {false, true}) {
        const auto network = make_spec(spec, make_context(neuron, {2, 9, 9}, 5), {{"norm", "bn"}});
        network->initialise(1);
        network->train();
        const Tensor x = binary_input(4, 3, {2, 9, 9}, 5);
        const Signal input = stationary ? Signal{x.slice(0, 0, 1), torch::ones({4}), {}} : Signal{x, {}, {}};
        Pass pass = network->start(bptt(), true, 1, 2);
        const Signal y = network->forward(input, pass);
        EXPECT_EQ(y.dense().sizes().vec(), (std::vector<int64_t>{4, 3, 5})) << spec;
        y.dense().sum().backward();
        for (const auto& p : network->named_parameters()) {
          EXPECT_TRUE(p.value().grad().defined()) << spec << ' ' << p.key();
        }
      }
    }
  }
}

}  // namespace
}  // namespace spiketrain
