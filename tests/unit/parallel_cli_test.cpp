// spiketrain inspect --parallel, as a user runs it.
#include <gtest/gtest.h>

#include <map>

#include "spiketrain/base/options.h"
#include "tests/support/cli.h"

namespace spiketrain::parallel_cli_test {

struct ParallelCli : Cli {
  void SetUp() override {
    write_file_atomic(
        recipe_,
        std::string(
            "steps = 4\nepochs = 1\n[data]\nname = \"glyphs\"\nbatch = 20\ntrain_size = 40\ntest_size = 20\n"
            "[network]\nname = \"spec\"\nspec = \"4C5-P2-20-10\"\n[neuron]\nname = \"lif\"\n"
            "[readout]\nname = \"leaky_readout\"\n[rule]\nname = \"bptt\"\n[objective]\nname = \"tet_ce\"\n"
            "[schedule]\nname = \"truncated\"\nwindow = 2\n[blocks]\nsize = 1\noutput = \"apart\"\n"));
  }
  const std::string recipe_ = dir_ / "recipe.toml";
};

TEST_F(ParallelCli, PredictsThreeWays) {
  const Config json = Config::parse(run({"inspect", recipe_, "--parallel", "6", "--json"}).text);
  EXPECT_EQ(json.at("batch"), 20);
  ASSERT_EQ(json.at("blocks").size(), 3u);
  for (size_t b = 0; b < 3; ++b) {
    const Config& block = json.at("blocks")[b];
    EXPECT_GT(block.at("forward_seconds").get<double>(), 0);
    EXPECT_GT(block.at("backward_seconds").get<double>(), 0);
    EXPECT_EQ(block.at("bytes_handed_on").get<double>() > 0, b < 2);
  }
  // 100 weights of 4 kernels and their head's (5 x 5 maps of 2 x 2 means are 100 features), 4 bytes each, at least.
  EXPECT_GE(json.at("blocks")[0].at("gradient_bytes").get<double>(), 4 * 100);
  std::map<std::string, std::vector<int64_t>> counts;
  for (const Config& p : json.at("predictions")) {
    counts[p.at("way")].push_back(p.at("processes"));
    EXPECT_EQ(p.at("processes").get<size_t>(), p.at("blocks").size() * p.at("shares").get<size_t>());
    EXPECT_GT(p.at("seconds").get<double>(), 0);
    EXPECT_GE(p.at("idle").get<double>(), 0);
    EXPECT_LT(p.at("idle").get<double>(), 1);
  }
  EXPECT_EQ(counts.at("data"), (std::vector<int64_t>{1, 2, 4, 6}));
  EXPECT_EQ(counts.at("blocks"), (std::vector<int64_t>{2, 4, 6}));
  EXPECT_EQ(counts.at("pipeline"), (std::vector<int64_t>{2, 4, 6}));
}

TEST_F(ParallelCli, PrintsATable) {
  const std::string text = run({"inspect", recipe_, "--parallel", "2", "--cores", "2"}).text;
  for (const char* part : {"block  layers", "4C5-P2", "hands on KiB",
                           "predicted: 1000 MB/s and 50 us between processes, 2 cores", "data", "blocks",
                           "pipeline", "times as fast"})
    EXPECT_NE(text.find(part), std::string::npos) << part << '\n' << text;
}

TEST_F(ParallelCli, SaysWhatItExpects) {
  const auto refused = [&](std::vector<std::string> arguments, const std::string& part) {
    arguments.insert(arguments.begin(), "inspect");
    expect_error(arguments, 2, part);
  };
  refused({recipe_, "--cores", "2"}, "--cores requires --parallel");
  refused({recipe_, "--parallel", "0"}, "--parallel");
  refused({recipe_, "--parallel", "2", "--input", "1,28,28", "--classes", "10"}, "leave out --input");
  refused({recipe_, "--parallel", "2", "--set", "schedule=checkpointed"},
          "schedule checkpointed takes segments through the blocks a second time");
  write_file_atomic(dir_ / "x.safetensors", "");
  refused({dir_ / "x.safetensors", "--parallel", "2"}, "expected a .toml recipe or a run directory");
}

}  // namespace spiketrain::parallel_cli_test
