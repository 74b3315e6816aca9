// Bits that a network's numbers take, counted by hand.
#include "spiketrain/core/weight_storage.h"

#include <gtest/gtest.h>

#include "tests/support/message.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::weight_storage_test {

std::shared_ptr<Network> network_with(const Config& options, const std::string& spec = "4C3-P2-5-2") {
  return make_spec(spec, make_context({{"name", "lif"}}, {2, 6, 6}, 2), options);
}

TEST(WeightStorage, CountsBitsScalesAndEverythingElse) {
  const auto network = network_with({{"quantizer", "binary"}, {"norm", "bn"}, {"bias", true}});
  const WeightStorage storage = weight_storage(*network);
  ASSERT_EQ(storage.weights.size(), 3u);
  const int64_t numbers[] = {4 * 2 * 9, 5 * 4 * 2 * 2, 2 * 5}, rows[] = {4, 5, 2};
  int64_t float_bits = 0, binary_bits = 0;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(storage.weights[i].numbers, numbers[i]);
    EXPECT_EQ(storage.weights[i].quantized_bits, numbers[i] + 32 * rows[i]);
    float_bits += 32 * numbers[i];
    binary_bits += numbers[i] + 32 * rows[i];
  }
  EXPECT_EQ(storage.others,
            (4 + 5 + 2) + 4 * (4 + 5));  // biases; gain, shift and two statistics of each channel
  EXPECT_EQ(storage.float_bits(), float_bits + 32 * storage.others);
  EXPECT_EQ(storage.bits(), binary_bits + 32 * storage.others);
  storage.weights[1].quantizer->turn(false);
  EXPECT_EQ(storage.bits(), binary_bits + 32 * storage.others + 31 * numbers[1] - 32 * rows[1]);
  EXPECT_EQ(storage.text().rfind("binary: 0 (4C3), 3 (2); storage ", 0), 0u) << storage.text();
  EXPECT_EQ(storage.json()["layers"][1]["quantized"], false);
  EXPECT_EQ(storage.json()["bits"], storage.bits());
}

TEST(WeightStorage, WithoutSuchAQuantizerAllIsInFullPrecision) {
  for (const Config& quantizer : {Config("none"), Config({{"name", "uniform"}, {"bits", 4}})}) {
    const WeightStorage storage = weight_storage(*network_with({{"quantizer", quantizer}}));
    EXPECT_FALSE(storage.switched());
    EXPECT_EQ(storage.bits(), storage.float_bits());
    EXPECT_EQ(storage.share(), 1);
  }
}

TEST(WeightStorage, LeavesOutHeadsAndWaysBack) {
  const Config options = {{"quantizer", "binary"}, {"spec", "5-4-2"}};
  NetworkContext context = make_context({{"name", "lif"}}, {6}, 2);
  const int64_t plain = weight_storage(*make<NetworkBuilder>("spec", options)->build(context)).float_bits();
  context.feedback = {{"name", "random"}};
  const auto network = make<NetworkBuilder>("spec", options)->build(context);
  network->partition({1, 1});
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", 2}});
  network->attach_head(0, {std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>("lif"))});
  EXPECT_EQ(weight_storage(*network).float_bits(), plain);
  EXPECT_EQ(plain, 32 * (30 + 20 + 8));
}

TEST(WeightStorage, RefusesDelayedWeights) {
  const auto network = make_spec("5-2", make_context({{"name", "lif"}}, {6}, 2),
                                 {{"quantizer", "binary"}, {"longest_delay", 3}});
  EXPECT_NE(message_of<UsageError>([&] { weight_storage(*network); }).find("as learned delays do"),
            std::string::npos);
}

}  // namespace spiketrain::weight_storage_test
