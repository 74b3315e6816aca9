// spiketrain import and export nir, as a user runs them.
#include <gtest/gtest.h>

#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/nir/file.h"
#include "tests/support/nir_graphs.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::nir_cli_test {

struct Cli {
  TempDir dir;
  std::string run(std::vector<std::string> arguments, int code) {
    arguments.insert(arguments.begin(), ST_CLI);
    EXPECT_EQ(wait_for(spawn(arguments, dir / "output")), code);
    const Bytes bytes = read_file(dir / "output");
    std::string text(bytes.begin(), bytes.end());
    if (code != 0) {
      EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    }
    return text;
  }
};

bool has(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }

TEST(NirCli, FromAFileToARunAndBack) {
  Cli cli;
  const std::string graph = cli.dir / "net.nir", run = cli.dir / "run", out = cli.dir / "out.nir";
  write_nir(graph, nir_chain(784, 10));
  const std::string text = cli.run({"import", graph, "--out", run, "--set", "steps=4", "--set",
                                    "data.test_size=20", "--set", "data.train_size=20"},
                                   0);
  EXPECT_TRUE(has(text, "note: dt 0.0001 s: from r = tau/dt in node 'lif'")) << text;
  EXPECT_TRUE(has(text, "784 parameters") || has(text, "7,840 parameters")) << text;
  EXPECT_TRUE(has(cli.run({"inspect", run}, 0), "lif")) << text;
  EXPECT_TRUE(has(cli.run({"eval", run}, 0), "accuracy"));
  EXPECT_TRUE(has(cli.run({"eval", run + "/ckpt/best.safetensors"}, 0), "accuracy"));
  EXPECT_TRUE(has(cli.run({"export", "nir", run, "--out", out}, 0), "wrote " + out + ": 4 nodes, 3 edges"));
  EXPECT_EQ(read_nir(out).metadata.arrays.at("dt").values[0], 1e-4);
  const std::string slow = cli.dir / "slow";
  cli.run({"import", graph, "--out", slow, "--dt", "0.0005"}, 0);
  cli.run({"export", "nir", slow, "--out", out}, 0);
  EXPECT_EQ(read_nir(out).metadata.arrays.at("dt").values[0], 5e-4);
  NirGraph back = read_nir(out);
  EXPECT_NEAR(nir_at(back, "lif").fields.arrays.at("tau").values[0], 1e-3, 1e-9);
  const std::string trained = cli.dir / "trained";
  cli.run({"train", slow + "/config.toml", "--out", trained, "--threads", "1", "--set", "steps=4", "--set",
           "data.test_size=20", "--set", "data.train_size=20"},
          0);
  cli.run({"export", "nir", trained, "--out", out}, 0);
  EXPECT_EQ(read_nir(out).metadata.arrays.at("dt").values[0], 5e-4) << "training keeps it";
  cli.run({"export", "nir", trained, "--checkpoint", "last", "--dt", "0.001", "--keep-gain", "--out", out},
          0);
  EXPECT_EQ(read_nir(out).metadata.arrays.at("dt").values[0], 1e-3);
}

TEST(NirCli, Refusals) {
  Cli cli;
  const std::string graph = cli.dir / "net.nir", run = cli.dir / "run";
  write_nir(graph, nir_chain());
  EXPECT_TRUE(has(cli.run({"import", graph}, 2), "--out DIR"));
  EXPECT_TRUE(
      has(cli.run({"import", graph, "--out", run, "--dt", "1"}, 2), "node 'lif' (LIF): tau is 0.001"));
  EXPECT_TRUE(has(cli.run({"import", graph, "--out", run, "--reset", "soft"}, 2),
                  "reset: expected zero or subtract"));
  EXPECT_TRUE(has(cli.run({"import", graph, "--out", run, "--set", "steps=0"}, 2), "steps"));
  EXPECT_TRUE(has(cli.run({"import", cli.dir / "none.nir", "--out", run}, 3), "none.nir"));
  write_file_atomic(cli.dir / "text.nir", std::string("text"));
  EXPECT_TRUE(has(cli.run({"import", cli.dir / "text.nir", "--out", run}, 3), "expected an HDF5 file"));
  EXPECT_TRUE(has(cli.run({"import", graph, "--out", run, "--set", "data.name=nothing"}, 2), "nothing"));
  EXPECT_FALSE(std::filesystem::exists(run));
  const std::string text = cli.run({"import", graph, "--out", run}, 0);
  EXPECT_TRUE(has(text, "the network takes 4 and gives 3; choose another with --set data.name=")) << text;
  EXPECT_TRUE(has(cli.run({"import", graph, "--out", run}, 2),
                  run + " holds files; give a folder that is empty or not there yet"));
  EXPECT_TRUE(has(cli.run({"export", "nir", run}, 2), "--out is required"));
  EXPECT_TRUE(has(cli.run({"export", "nir", run, "--out", ""}, 2), "expected a name, got ''"));
  EXPECT_TRUE(
      has(cli.run({"export", "nir", run + "/ckpt/best.safetensors", "--checkpoint", "last", "--out", "x"}, 2),
          "is a file of weights by itself; leave --checkpoint out"));
  EXPECT_TRUE(has(cli.run({"export", "nir", cli.dir / "nothing", "--out", "x"}, 2), "is no run directory"));
  EXPECT_TRUE(has(cli.run({"export", "nri", run}, 2), "nir"));
}

}  // namespace spiketrain::nir_cli_test
