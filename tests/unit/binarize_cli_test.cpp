// Binary layers as a user sees them: in the log, in inspect and eval, and what an export makes of them.
#include "spiketrain/base/file.h"
#include "tests/support/cli.h"
#include "tests/support/runs.h"

namespace spiketrain::binarize_cli_test {

class BinarizeCli : public Cli {
 protected:
  std::string binary_recipe() {
    const std::string path = dir_ / "binary.toml";
    write_file_atomic(
        path,
        "epochs = 2\nsteps = 2\n[data]\nname = \"glyphs\"\nbatch = 20\ntrain_size = 200\ntest_size = 40\n"
        "validation = 60\n[network]\nname = \"spec\"\nspec = \"4C5s2-P2-4C3-10\"\npool = \"avg\"\nnorm = \"bn\"\n"
        "quantizer = \"binary\"\n[neuron]\nname = \"lif\"\n[readout]\nname = \"leaky_readout\"\n"
        "[rule]\nname = \"bptt\"\n[objective]\nname = \"rate_ce\"\n"
        "[binarize]\nchoice = \"loss_increase\"\nbudget = 0.6\nsamples = 60\nnorm_batches = 3\n");
    return path;
  }
};

TEST_F(BinarizeCli, TrainInspectEvalAndExport) {
  const std::string out = dir_ / "run", path = binary_recipe();
  const CliResult fresh = run({"inspect", path});
  EXPECT_EQ(fresh.code, 0) << fresh.text;
  EXPECT_TRUE(fresh.has("stored bits")) << fresh.text;
  EXPECT_FALSE(fresh.has(" binary\n")) << fresh.text;

  const CliResult trained = run({"train", path, "--out", out, "--threads", "1"});
  ASSERT_EQ(trained.code, 0) << trained.text;
  EXPECT_TRUE(trained.has("epoch 2: loss that binary weights add: 0 (4C5s2) ")) << trained.text;
  EXPECT_TRUE(trained.has("epoch 2: binary: ")) << trained.text;
  EXPECT_NE(text_of(out + "/log.txt").find("; storage "), std::string::npos);

  const CliResult seen = run({"inspect", out});
  EXPECT_TRUE(seen.has(" binary\n")) << seen.text;
  const CliResult measured = run({"eval", out});
  EXPECT_TRUE(measured.has("binary: ")) << measured.text;
  const Config json = Config::parse(run({"eval", out, "--json"}).text);
  EXPECT_LE(json["storage"]["share"].get<double>(), 0.6);

  const CliResult exported = run({"export", "c", out, "--out", dir_ / "c", "--type", "q15"});
  EXPECT_EQ(exported.code, 0) << exported.text;
  EXPECT_TRUE(exported.has("not as a bit")) << exported.text;
  EXPECT_TRUE(run({"eval", out, "--integer", "q15"}).has("in integer arithmetic"));
}

TEST_F(BinarizeCli, ErrorsAreOneLine) {
  expect_error({"train", binary_recipe(), "--out", dir_ / "x", "--set", "binarize.budget=0.01"}, 2,
               "is out of reach");
  expect_error({"train", binary_recipe(), "--out", dir_ / "x", "--set", "binarize.choice=lossincrease"}, 2,
               "loss_increase");
  expect_error({"train", binary_recipe(), "--out", dir_ / "x", "--set", "data.validation=0"}, 2,
               "data.validation");
  expect_error({"inspect", binary_recipe(), "--set", "network.quantizer=none"}, 2,
               "network.quantizer = \"binary\"");
}

}  // namespace spiketrain::binarize_cli_test
