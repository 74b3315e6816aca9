// spiketrain eval --as: another recipe's network reads the weights of a run, on the run's own samples.
#include "spiketrain/base/options.h"
#include "tests/support/cli.h"

namespace spiketrain::eval_as_cli_test {

class EvalAs : public Cli {
 protected:
  std::string recipe(const std::string& name, int seed) {
    const std::string path = dir_ / name;
    write_file_atomic(
        path, str("seed = ", seed, "\nsteps = 3\nepochs = 1\n[data]\nname = \"glyphs\"\nbatch = 20\n",
                  "train_size = 100\ntest_size = 60\n[network]\nname = \"spec\"\nspec = \"10\"\n",
                  "[neuron]\nname = \"lif\"\n[readout]\nname = \"leaky_readout\"\n[rule]\nname = \"bptt\"\n",
                  "[objective]\nname = \"tet_ce\"\n"));
    return path;
  }
  double loss(std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", dir_ / "run", "--json"});
    const CliResult result = run(more);
    EXPECT_EQ(result.code, 0) << result.text;
    return Config::parse(result.text).at("loss");
  }
};

// Built-in data are drawn by the seed.
TEST_F(EvalAs, TheSamplesAreThoseOfTheRun) {
  ASSERT_EQ(run({"train", recipe("own.toml", 3), "--out", dir_ / "run"}).code, 0);
  const double own = loss({}), as = loss({"--as", recipe("other.toml", 1)});
  EXPECT_EQ(own, as);
  EXPECT_NE(own, loss({"--as", dir_ / "other.toml", "--set", "seed=1"}));
}

}  // namespace spiketrain::eval_as_cli_test
