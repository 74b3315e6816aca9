// Neurons of the PSN family as a user of the program meets them: images by columns, the table of operations, integers.
#include "spiketrain/base/safetensors.h"
#include "tests/support/cli.h"

namespace spiketrain::psn_cli_test {

class PsnCli : public Cli {
 protected:
  std::string columns(const std::string& neuron, const std::string& steps = "28") {
    const std::string path = dir_ / "columns.toml";
    write_file_atomic(path,
                      "epochs = 1\nsteps = " + steps +
                          "\n[data]\nname = \"glyphs\"\nbatch = 20\ntrain_size = 60\ntest_size = 40\n"
                          "[encoder]\nname = \"columns\"\n[network]\nname = \"spec\"\nspec = \"12-12-10\"\n"
                          "norm = \"bn\"\n[neuron]\n" +
                          neuron +
                          "\n[readout]\nname = \"leaky_readout\"\n[rule]\nname = \"bptt\"\n[objective]\n"
                          "name = \"rate_ce\"\n[optimizer]\nname = \"adamw\"\n");
    return path;
  }
};

TEST_F(PsnCli, ShiftsAreCountedAndExported) {
  const std::string recipe =
      columns("name = \"cw_psn\"\nk = 3\nquantizer = \"power_of_two\"\nnorm = \"batch\"");
  const std::string sawtooth = "network.dilations=[1,2]", run_dir = dir_ / "run",
                    out = dir_ / "shifts.safetensors";
  const CliResult inspected = run({"inspect", recipe, "--set", sawtooth});
  EXPECT_TRUE(inspected.has("neurons over time, forward, per sample")) << inspected.text;
  // 12 neurons: taps of lags 0, 1, 2 and of lags 0, 2, 4 that are inside 28 steps, and a threshold per step.
  EXPECT_TRUE(inspected.has("1,908") && inspected.has("2,580")) << inspected.text;
  EXPECT_TRUE(inspected.has("taps counted as if dilations were 1")) << inspected.text;

  const CliResult trained = run({"train", recipe, "--out", run_dir, "--threads", "1", "--set", sawtooth});
  ASSERT_EQ(trained.code, 0) << trained.text;
  const CliResult exported = run({"export", "shifts", run_dir, "--out", out, "--check", "20"});
  ASSERT_EQ(exported.code, 0) << exported.text;
  EXPECT_TRUE(exported.has("on 20 test samples")) << exported.text;
  const SafetensorsFile file = SafetensorsFile::open(out);
  EXPECT_EQ(file.metadata().at("input_bits"), "12");
  EXPECT_EQ(file.at("0.sign").shape, (std::vector<int64_t>{12, 3}));
  EXPECT_EQ(file.at("1.shift").shape, (std::vector<int64_t>{12, 3}));
  EXPECT_EQ(file.at("1.threshold").shape, (std::vector<int64_t>{12}));
  EXPECT_EQ(file.at("1.dilation").data[0], 2);
}

TEST_F(PsnCli, SaysWhatDoesNotFit) {
  expect_error({"train", columns("name = \"cw_psn\"", "20"), "--out", dir_ / "short"}, 2, "steps = 28");
  expect_error({"train", columns("name = \"psn\"\nsteps = 30"), "--out", dir_ / "none"}, 2,
               "set neuron.steps to the recipe's steps");
  expect_error({"inspect", columns("name = \"lif\""), "--set", "network.dilations=[1,2]"}, 2,
               "dilations are for neurons");
  const std::string run_dir = dir_ / "real";
  ASSERT_EQ(run({"train", columns("name = \"cw_psn\""), "--out", run_dir, "--threads", "1"}).code, 0);
  expect_error({"export", "shifts", run_dir, "--out", dir_ / "x.safetensors"}, 2, "this network has none");
}

}  // namespace spiketrain::psn_cli_test
