// From a network of quantised activations to one of spiking neurons: what the first layer counts is exact, what the network says
// comes nearer with more steps, and what cannot be converted is refused by name.
#include "spiketrain/recipe/conversion.h"

#include <gtest/gtest.h>

#include "spiketrain/core/watch.h"
#include "spiketrain/recipe/experiment.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/tiny.h"

namespace spiketrain::conversion_test {

const Shape kIn = {1, 6, 6};
constexpr double kUp = 0.5, kUp2 = 2;  ///< of the first and the second layer

Recipe analog_recipe(const std::vector<std::string>& sets = {}) {
  std::vector<std::string> all = {"steps=1",
                                  "neuron={name=\"qcfs\", levels=4, initial_up=2}",
                                  "readout={name=\"leaky_readout\", leak=0}",
                                  "rule=bptt",
                                  "objective=rate_ce",
                                  "network.spec=8C3-AP2-12-4"};
  all.insert(all.end(), sets.begin(), sets.end());
  return tiny_recipe(all);
}

std::shared_ptr<Network> network_of(const Recipe& recipe) {
  auto network = make_network(recipe, kIn, {4});
  network->to(torch::kDouble);
  return network;
}

/// Weights of exact arithmetic, and powers of two for what a spike stands for.
std::shared_ptr<Network> analog_network(const Recipe& recipe) {
  auto network = network_of(recipe);
  exact_weights(*network, 4);
  const torch::NoGradGuard no_grad;
  double up = kUp;
  for (const auto& item : network->named_parameters()) {
    if (item.key().find("neuron.up") == std::string::npos) continue;
    item.value().fill_(up);
    up = kUp2;
  }
  return network;
}

std::shared_ptr<Network> converted(const Recipe& recipe, const Network& analog) {
  auto network = network_of(spiking_recipe(recipe, 0));
  convert_weights(analog, *network);
  return network;
}

/// Values of a node [T,B,*] for images [B,*] shown at T steps.
Tensor sent(Network& network, size_t node, const Tensor& x, int64_t T) {
  struct Node : Watch {
    size_t wanted = 0;
    Tensor values;
    void saw(size_t n, const std::vector<Signal>&, const Signal& out, const Context&) override {
      if (n == wanted) values = out.values().clone();
    }
    uint32_t wants(int64_t) const override { return 0; }
  } watch;
  watch.wanted = node;
  evaluate(network, Signal::constant(x.unsqueeze(0), torch::ones({T}, torch::kDouble)));
  return watch.values;
}

/// Eighths, so that sums are exact.
Tensor images(int64_t count) {
  torch::manual_seed(9);
  return torch::randint(0, 9, {count, 1, 6, 6}, torch::kDouble) / 8;
}

TEST(Conversion, FirstLayerIsExactInAsManyStepsAsLevels) {
  const Recipe recipe = analog_recipe({"network.bias=true"});
  const auto analog = analog_network(recipe), spiking = converted(recipe, *analog);
  const Tensor a = sent(*analog, 0, images(20), 1)[0], s = sent(*spiking, 0, images(20), 4);
  EXPECT_TRUE(torch::equal(s.mean(0) * kUp, a));
  EXPECT_TRUE(((s == 0) | (s == 1)).all().item<bool>());
  for (int64_t level = 0; level <= 4; ++level)
    EXPECT_GT((a == static_cast<double>(level) * kUp / 4).sum().item<int64_t>(), 0) << level;
  EXPECT_FALSE(torch::equal(sent(*spiking, 0, images(20), 3).mean(0) * kUp, a));
}

TEST(Conversion, OutputsComeNearerWithMoreSteps) {
  const Recipe recipe = analog_recipe({"network.bias=true"});
  const auto analog = analog_network(recipe), spiking = converted(recipe, *analog);
  const Tensor x = images(60);
  const size_t out = analog->nodes().size() - 1;
  // Without rounding to levels, which more steps than levels go beyond: what they come near to.
  const auto fine = network_of(analog_recipe({"network.bias=true", "neuron.levels=65536"}));
  const torch::NoGradGuard no_grad;
  for (const auto& item : analog->named_parameters())
    fine->named_parameters()[item.key()].copy_(item.value());
  const Tensor limit = sent(*fine, out, x, 1)[0];
  double before = 1e9;
  for (const int64_t T : {1, 4, 16, 64}) {
    const Tensor z = sent(*spiking, out, x, T).mean(0);
    const auto distance = (z - limit).abs().mean().item<double>();
    EXPECT_LT(distance, before) << T;
    before = distance;
  }
  EXPECT_LT(before, 0.05 * limit.abs().mean().item<double>());
  // In as many steps as levels, most samples are already of the analog network's class.
  const Tensor same = sent(*spiking, out, x, 4).mean(0).argmax(1) == sent(*analog, out, x, 1)[0].argmax(1);
  EXPECT_GT(same.to(torch::kDouble).mean().item<double>(), 0.6);
}

TEST(Conversion, FoldsABatchNormWithItsStatistics) {
  for (const char* norm : {"bn", "{name=\"tdbn\", scale=0.7, eps_outside=true, eps=0.01}"}) {
    const Recipe recipe = analog_recipe({"network.norm=" + std::string(norm), "neuron.levels=7"});
    const auto analog = analog_network(recipe);
    {
      const torch::NoGradGuard no_grad;
      torch::manual_seed(2);
      for (const auto& item : analog->named_parameters())
        if (item.key().find("norm") != std::string::npos) item.value().uniform_(0.5, 1.5);
      for (const auto& item : analog->named_buffers()) item.value().uniform_(0.5, 1.5);
    }
    const auto spiking = converted(recipe, *analog);
    EXPECT_EQ(spiking_recipe(recipe, 0).network["norm"], "none");
    EXPECT_EQ(spiking_recipe(recipe, 0).steps, 7);
    const Tensor a = sent(*analog, 0, images(20), 1)[0], s = sent(*spiking, 0, images(20), 7);
    EXPECT_LE((s.mean(0) * kUp - a).abs().max().item<double>(), 1e-12) << norm;
    EXPECT_GT(a.std().item<double>(), 0.1);
  }
}

TEST(Conversion, SaysWhatASpikeStandsFor) {
  const Recipe recipe = analog_recipe();
  const auto analog = analog_network(recipe);
  auto spiking = network_of(spiking_recipe(recipe, 3));
  const auto layers = convert_weights(*analog, *spiking);
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_EQ(layers[0].node, "0");
  EXPECT_EQ(layers[0].notation, "8C3");
  EXPECT_EQ(layers[0].up, kUp);
  EXPECT_EQ(layers[1].up, kUp2);
  // W' = W * up below / up; the output layer keeps real values.
  const auto was = analog->named_parameters(), is = spiking->named_parameters();
  EXPECT_TRUE(torch::equal(is["0.synapse.weight"], was["0.synapse.weight"] * 2));
  EXPECT_TRUE(torch::equal(is["2.synapse.weight"], was["2.synapse.weight"] / 4));
  EXPECT_TRUE(torch::equal(is["3.synapse.weight"], was["3.synapse.weight"] * 2));
}

TEST(Conversion, RecipeKeepsAllButTheNeurons) {
  const Recipe recipe = analog_recipe({"init.file=w.safetensors", "optimizer.lr=0.125"});
  Recipe spiking = spiking_recipe(recipe, 6);
  EXPECT_EQ(spiking.steps, 6);
  EXPECT_EQ(spiking.neuron["name"], "if");
  EXPECT_EQ(spiking.neuron["start"], "half");
  EXPECT_EQ(spiking.neuron["threshold"], 1.0);
  EXPECT_EQ(spiking.init.file, "");
  EXPECT_EQ(spiking.network, recipe.network) << "no norm, so no new bias";
  EXPECT_EQ(spiking.optimizer, recipe.optimizer);
  EXPECT_NO_THROW(make_recipe(resolve(spiking)));
}

TEST(Conversion, RefusesByName) {
  const auto refused = [](const std::vector<std::string>& sets) {
    return message_of<UsageError>([&] {
      const Recipe recipe = analog_recipe(sets);
      converted(recipe, *analog_network(recipe));
    });
  };
  const auto expect = [&](const std::vector<std::string>& sets, const std::string& part) {
    const std::string message = refused(sets);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect({"neuron=relu"}, "expected a run with neuron qcfs, got relu");
  expect({"readout=qcfs"}, "output layer");
  expect({"readout.leak=0.5"}, "output layer");
  expect({"network.pool=\"max\"", "network.spec=8C3-P2-12-4"}, "node 1 (MP2): stage pool");
  expect({"network.spec=8C3-12R-4"}, "node 1 (12): it is recurrent");
  expect({"network.spec=8C3p1-SEW8-4"}, "it adds spikes that stand for different values");
  expect({"network.spec=8C3p1-RB8-4"}, "identity shortcut");
  expect({"network.quantizer=uniform"}, "quantized");
  expect({"network.norm=relu"}, "norm relu cannot be folded");
  expect({"network.longest_delay=2"}, "stage taps");
  expect({"blocks.size=1"}, "one block");
  const Recipe recipe = analog_recipe();
  const auto analog = analog_network(recipe);
  {
    const torch::NoGradGuard no_grad;
    analog->named_parameters()["2.neuron.up"].fill_(-0.5);
  }
  const std::string message = message_of<UsageError>([&] { converted(recipe, *analog); });
  EXPECT_NE(message.find("node 2 (12): its greatest value (up) is -0.5"), std::string::npos) << message;
}

}  // namespace spiketrain::conversion_test
