// From an analog run to a distilled spiking one as a user of the program goes: train, convert, eval, train on with the analog run as teacher.
#include <filesystem>

#include "spiketrain/base/registry.h"
#include "tests/support/cli.h"

namespace spiketrain::convert_cli_test {

class ConvertCli : public Cli {
 protected:
  std::string analog(const std::string& neuron = "name = \"qcfs\"\nlevels = 2\ninitial_up = 2") {
    const std::string path = dir_ / "analog.toml";
    write_file_atomic(
        path,
        "epochs = 2\nsteps = 1\n[data]\nname = \"glyphs\"\nbatch = 20\ntrain_size = 200\n"
        "test_size = 40\n[network]\nname = \"spec\"\nspec = \"4C5s2-10\"\nnorm = \"bn\"\n[neuron]\n" +
            neuron +
            "\n[readout]\nname = \"leaky_readout\"\nleak = 0\n[rule]\nname = \"bptt\"\n"
            "[objective]\nname = \"rate_ce\"\n[optimizer]\nname = \"adamw\"\nlr = 0.02\n");
    return path;
  }
  Config eval(const std::string& run_dir) {
    const CliResult result = run({"eval", run_dir, "--json"});
    EXPECT_EQ(result.code, 0) << result.text;
    return Config::parse(result.text);
  }
};

TEST_F(ConvertCli, AnalogRunBecomesASpikingOneAndItsTeacher) {
  const std::string teacher = dir_ / "teacher", spiking = dir_ / "spiking", student = dir_ / "student";
  ASSERT_EQ(run({"train", analog(), "--out", teacher, "--threads", "1"}).code, 0);
  const CliResult made = run({"convert", teacher, "--out", spiking});
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_TRUE(made.has("a spike stands for") && made.has("4C5s2") && made.has("neuron if, T = 2"))
      << made.text;
  EXPECT_TRUE(made.has("spiketrain eval " + spiking)) << made.text;

  // One spiking layer: in as many steps as levels it says what the analog network says.
  const Config was = eval(teacher), is = eval(spiking);
  EXPECT_NEAR(was["loss"].get<double>(), is["loss"].get<double>(), 1e-3);
  EXPECT_EQ(was["accuracy"], is["accuracy"]);
  EXPECT_GT(is["rates"][0]["rate"].get<double>(), 0);

  const std::string weights = spiking + "/ckpt/best.safetensors", config = spiking + "/config.toml";
  const CliResult trained =
      run({"train", config, "--init", weights, "--out", student, "--threads", "1", "--set", "epochs=1",
           "--set", "objective={name=\"distillation\", match=\"steps\"}", "--set", "teacher.run=" + teacher});
  ASSERT_EQ(trained.code, 0) << trained.text;
  EXPECT_TRUE(trained.has("objective distillation, teacher " + teacher)) << trained.text;
  EXPECT_TRUE(trained.has("begins with")) << trained.text;
  eval(student);
  // The teacher moves away: evaluation says what to do, and does it.
  std::filesystem::rename(teacher, dir_ / "gone");
  expect_error({"eval", student}, 2, "to evaluate without a teacher: --set objective=rate_ce");
  EXPECT_EQ(run({"eval", student, "--set", "objective=rate_ce"}).code, 0);
  EXPECT_EQ(run({"eval", student, "--set", "teacher.run=" + (dir_ / "gone")}).code, 0);
}

TEST_F(ConvertCli, SaysWhatCannotBeConverted) {
  const std::string relu = dir_ / "relu", out = dir_ / "out";
  ASSERT_EQ(run({"train", analog("name = \"relu\""), "--out", relu, "--threads", "1"}).code, 0);
  expect_error({"convert", relu, "--out", out}, 2, "expected a run with neuron qcfs, got relu");
  EXPECT_FALSE(std::filesystem::exists(out));
  expect_error({"convert", relu}, 2, "--out DIR");
  expect_error({"convert", relu, "--out", relu}, 2, "holds files");
  expect_error({"convert", dir_ / "none", "--out", out}, 2, "no run directory");
}

}  // namespace spiketrain::convert_cli_test
