// Rates of neurons that send counts are compared with the greatest count.
#include <gtest/gtest.h>

#include "spiketrain/cost/footprint.h"
#include "spiketrain/train/rates.h"
#include "tests/support/cli.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::count_rates_test {

TEST(CountRates, WarningsCompareWithTheGreatestCount) {
  const auto warnings = [](double rate, int64_t levels) {
    return RateWarnings(1e-3, 0.9).of({{"8C3", 0, rate, "0", levels}});
  };
  EXPECT_EQ(warnings(0.95, 1).size(), 1U);
  EXPECT_EQ(warnings(0.95, 3).size(), 0U);
  EXPECT_EQ(warnings(2.6, 3).size(), 0U);
  ASSERT_EQ(warnings(2.8, 3).size(), 1U);
  EXPECT_NE(warnings(2.8, 3)[0].find("(rate 2.8) fires nearly always"), std::string::npos)
      << warnings(2.8, 3)[0];
  EXPECT_EQ(warnings(0.0005, 3).size(), 1U);  // silent is silent
}

TEST(CountRates, RatesSayTheGreatestCount) {
  NetworkContext context = make_context({{"name", "mlf"}, {"levels", 2}}, {6}, 3);
  context.readout = [] { return make<Neuron>("lif"); };
  const auto network = make_spec("4-3", context);
  Tally tally;
  tally.add(0, 30, 20);
  tally.add(1, 5, 20);
  const std::vector<LayerRate> rates = layer_rates(*network, tally.counts());
  ASSERT_EQ(rates.size(), 2U);
  EXPECT_EQ(rates[0].rate, 1.5);
  EXPECT_EQ(rates[0].levels, 2);
  EXPECT_EQ(rates[1].levels, 1);
}

/// A count is stored in as many bits as its greatest value takes.
TEST(CountRates, FootprintCountsTheBits) {
  for (const auto& [levels, bytes] : {std::pair{1, 0.125}, {3, 0.25}, {4, 0.375}}) {
    const auto neuron = make<Neuron>("mlf", {{"levels", levels}});
    neuron->build({8});
    const NeuronFootprint f = neuron_footprint(*neuron, *bptt(), 4, {8});
    EXPECT_EQ(f.spikes, bytes) << levels;
    EXPECT_EQ(f.state, 4 * levels);
    EXPECT_EQ(f.slots + f.values, 0);
    EXPECT_EQ(f.current, 4);
  }
}

class CountRatesCli : public Cli {};

TEST_F(CountRatesCli, WatchComparesWithTheGreatestCount) {
  const std::string out = dir_ / "run", path = out + "/metrics.jsonl";
  ASSERT_EQ(run({"train", recipe(), "--out", out, "--threads", "1", "--set", "neuron=mlf", "--set",
                 "rule=bptt", "--set", "readout=leaky_readout", "--set", "objective=rate_ce"})
                .code,
            0);
  const Bytes bytes = read_file(path);
  Config line = Config::parse(bytes.begin(), bytes.end());
  for (const auto& [rate, busy] : {std::pair{2.6, false}, std::pair{2.8, true}}) {
    line.at("rates")[0]["rate"] = rate;
    write_file_atomic(path, line.dump() + "\n");
    EXPECT_EQ(run({"watch", out}).has("fire nearly always"), busy) << rate;
  }
}

}  // namespace spiketrain::count_rates_test
