// The command line as a user meets it: exit codes, one-line errors, and what the commands print.
#include "tests/support/cli.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "spiketrain/base/file.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/recipe/part_kinds.h"
#include "spiketrain/recipe/recipe.h"
#include "tests/support/scoped_variable.h"

namespace spiketrain::cli_test {

TEST_F(Cli, UsageErrorsExitWith2) {
  const ScopedVariable no_data("SPIKETRAIN_DATA", nullptr);
  expect_error({}, 2, "subcommand");
  expect_error({"trane"}, 2, "did you mean 'train'? Commands: ");
  expect_error({"train"}, 2, "expected a recipe");
  expect_error({"train", "--no-such-option"}, 2, "--no-such-option");
  expect_error({"train", recipe(), "--set", "epochs"}, 2, "section.key=value");
  expect_error({"train", recipe(), "--set", "rule.name=tsl_bp"}, 2, "did you mean 'tssl_bp'");
  expect_error({"train", recipe(), "--set", "train.clipnorm=1"}, 2, "did you mean 'clip_norm'");
  expect_error({"train", recipe(), "--threads", "-1"}, 2, "threads");
  expect_error({"train", recipe(), "--device", "tpu"}, 2, "expected cpu or cuda");
  expect_error({"train", recipe("[train\n")}, 2, "recipe.toml:17:");
  expect_error({"list"}, 2, "expected one of");
  expect_error({"list", "neuron"}, 2, "neuron");
  expect_error({"train", recipe(), "--set", "lr.name=cosine"}, 2, "[lr] is now called [learning_rate]");
  expect_error({"eval", dir_ / "missing"}, 2, "is no run directory");
  expect_error({"eval", dir_.path()}, 2, "is no run directory");
  expect_error({"inspect", dir_.path()}, 2, "is no run directory");
  expect_error({"train", dir_ / "missing.toml"}, 2, "missing.toml: no such file; the folder recipes/");
  expect_error({"inspect", "x.png"}, 2, "expected a .safetensors file");
  expect_error({"train", recipe(), "--set", "neuron.name=lif"}, 2,
               "this works: spiketrain train " + recipe() +
                   " --set neuron=lif --set rule=bptt --set objective=rate_ce");
  expect_error({"inspect", recipe(), "--set", "neuron=lif"}, 2, "--set rule=bptt --set objective=rate_ce");
  expect_error({"train", recipe(), "--rseume"}, 2, "did you mean '--resume'?");
  expect_error({"train", "--epochs", "3", recipe()}, 2, "--set epochs=...");
  expect_error({"train", recipe(), "--lr", "0.1"}, 2, "--set optimizer.lr=...");
  expect_error({"train", recipe(), "--batch-size=3"}, 2, "data.batch = 50");
  expect_error({"list", "neurons", "lifs"}, 2, "did you mean 'lif'");
  expect_error({"list", "data", "lif"}, 2, "no name expected");
  expect_error({"help", "batch_size"}, 2, "data.batch = 50");
  expect_error({"help", "tau_mm"}, 2, "did you mean 'tau_m'");
  expect_error({"data", "check", "mnist"}, 2, "--data-dir");
  EXPECT_FALSE(run({"train", recipe(), "--set", "epochs"}).has("terminate"));
}

TEST_F(Cli, DataErrorsExitWith3) {
  expect_error({"train", recipe(), "--set", "data.name=mnist", "--data-dir", dir_.path()}, 3, "mnist");
  write_file_atomic(dir_ / "bad.safetensors", std::string("not a file of tensors"));
  expect_error({"inspect", dir_ / "bad.safetensors"}, 3, "bad.safetensors");
  expect_error({"inspect", std::string(5000, 'x')}, 3, "cannot be read");
}

TEST_F(Cli, OutputThatIsLostIsAFailure) {
  const std::string script = std::string(ST_CLI) + " list neurons > /dev/full";
  EXPECT_EQ(wait_for(spawn({"/bin/sh", "-c", script}, dir_ / "output")), 1);
  const Bytes bytes = read_file(dir_ / "output");
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "spiketrain: standard output cannot be written\n");
  // Without standard output the program's files must not take its place.
  const std::string closed =
      std::string(ST_CLI) + " train " + recipe() + " --threads 1 --out " + (dir_ / "run") + " >&-";
  EXPECT_EQ(wait_for(spawn({"/bin/sh", "-c", closed}, dir_ / "output")), 0);
  EXPECT_EQ(file_size(dir_ / "run/lock"), 0U);
}

TEST_F(Cli, SaysHowToContinue) {
  const ScopedVariable no_data("SPIKETRAIN_DATA", nullptr);
  const std::string out = dir_ / "a run", path = recipe();
  const pid_t child =
      spawn({ST_CLI, "train", path, "--out", out, "--threads", "1", "--set", "epochs=1000"}, dir_ / "output");
  for (int i = 0; i < 600 && !file_exists(out + "/metrics.jsonl"); ++i) usleep(50000);
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child), 130);
  const Bytes bytes = read_file(dir_ / "output");
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_NE(text.find("spiketrain train --resume --out '" + out + "' --threads 1"), std::string::npos)
      << text;
}

TEST_F(Cli, TrainsEvaluatesAndInspects) {
  const std::string out = dir_ / "run";
  const CliResult train = run({"train", recipe(), "--out", out, "--threads", "1"});
  EXPECT_EQ(train.code, 0) << train.text;
  for (const char* part : {"small", "4C5-P2-10", "1 thread", "SIMD", "epoch 1/1", "done:"}) {
    EXPECT_TRUE(train.has(part)) << part << " in " << train.text;
  }
  for (const char* name : {"config.toml", "environment.json", "metrics.jsonl", "log.txt", "summary.json",
                           "cost.json", "DONE", "ckpt/best.safetensors", "ckpt/0000000003.safetensors"}) {
    EXPECT_TRUE(file_exists(out + "/" + name)) << name;
  }
  expect_error({"train", recipe(), "--out", out}, 2, "--resume");

  std::ifstream metrics(out + "/metrics.jsonl");
  const Config line = Config::parse(metrics);
  const CliResult eval = run({"eval", out, "--json", "--threads", "1"});
  ASSERT_EQ(eval.code, 0) << eval.text;
  EXPECT_EQ(Config::parse(eval.text).at("accuracy"), line.at("test_accuracy"));
  EXPECT_EQ(run({"eval", out, "--checkpoint", "last"}).code, 0);
  const CliResult alone = run({"eval", out + "/ckpt/best.safetensors", "--json", "--threads", "1"});
  ASSERT_EQ(alone.code, 0) << alone.text;
  EXPECT_EQ(Config::parse(alone.text).at("accuracy"), line.at("test_accuracy"));
  expect_error({"eval", out, "--split", "validation"}, 2, "no validation split");
  expect_error({"eval", out, "--batch", "9223372036854775807"}, 2, "--batch");
  expect_error({"eval", out, "--checkpoint", dir_ / "none.safetensors"}, 3, "none.safetensors");

  EXPECT_TRUE(run({"inspect", out}).has("4C5"));
  EXPECT_TRUE(run({"inspect", out + "/ckpt/best.safetensors"}).has("synapse.weight"));
  EXPECT_EQ(resolve(load_recipe(out + "/config.toml")), resolve(load_recipe(recipe())));
}

TEST_F(Cli, TrainsOnValues) {
  const std::string out = dir_ / "run", path = ST_SOURCE_DIR "/recipes/regression-echo.toml";
  const CliResult train =
      run({"train", path, "--out", out, "--threads", "1", "--set", "epochs=2", "--set", "data.train_size=100",
           "--set", "data.test_size=20", "--set", "data.validation=20"});
  ASSERT_EQ(train.code, 0) << train.text;
  for (const char* part : {"train mse ", "test mse ", "validation r2 ", "done: last epoch mse ", "(epoch "})
    EXPECT_TRUE(train.has(part)) << part << " in " << train.text;
  EXPECT_FALSE(train.has("%")) << train.text;

  const Bytes bytes = read_file(out + "/summary.json");
  const Config summary = Config::parse(bytes.begin(), bytes.end());
  for (const char* key : {"best_test_mse", "last_test_r2", "test_mse_at_best_validation"})
    EXPECT_TRUE(summary.contains(key)) << key << " in " << summary;
  const CliResult eval = run({"eval", out, "--threads", "1"});
  ASSERT_EQ(eval.code, 0) << eval.text;
  EXPECT_TRUE(eval.has("mse ") && eval.has("r2 ") && eval.has("loss ")) << eval.text;
  EXPECT_FALSE(eval.has("accuracy")) << eval.text;
}

TEST_F(Cli, NumericErrorsExitWith4) {
  const CliResult result =
      run({"train", recipe(), "--out", dir_ / "run", "--set", "optimizer={name=\"sgd\", lr=1e6}", "--set",
           "optimizer.weight_decay=1e3", "--set", "epochs=10"});
  EXPECT_EQ(result.code, 4) << result.text;
  EXPECT_TRUE(result.has("nan_dump.safetensors")) << result.text;
}

TEST_F(Cli, TheLiveLineFitsATerminalOfEightyColumns) {
  const std::string shown = run_on_terminal(
      {"train", recipe(), "--out", dir_ / "run", "--set", "data.train_size=6000", "--set", "data.batch=10"});
  if (shown.empty()) GTEST_SKIP() << "no pseudo-terminals";
  std::vector<std::string> lines;
  for (size_t at = shown.find("\r\033[K"); at != std::string::npos; at = shown.find("\r\033[K", at + 1))
    lines.push_back(shown.substr(at + 4, shown.find_first_of("\r\n", at + 1) - at - 4));
  size_t full = 0;
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), 80U) << line;
    EXPECT_TRUE(line.rfind("epoch 1/1 ", 0) != 0 || line.find("test ") != std::string::npos ||
                line.find("left ") != std::string::npos)
        << line;
    full += line.find("left ") != std::string::npos && line.find("rates ") != std::string::npos;
  }
  EXPECT_GT(full, 0U) << shown;
}

TEST_F(Cli, SaysWhereFilesComeFrom) {
  const CliResult list = run({"data", "list"});
  for (const char* part : {"https://www.cs.toronto.edu/~kriz/", "sha256", "170052171 bytes", "by hand"})
    EXPECT_TRUE(list.has(part)) << part;
  EXPECT_TRUE(run({"data", "check", "mnist", "--data-dir", dir_ / "none"}).has("data fetch mnist"));
  expect_error({"data", "check", "glyphs", "--data-dir", dir_ / "none"}, 2, "built in");
  expect_error({"data", "check", "bogus", "--data-dir", dir_ / "none"}, 2, "unknown data set");
}

TEST_F(Cli, InspectsARecipeWithoutData) {
  const CliResult result = run({"inspect", recipe("[paper]\nvalue=1\n"), "--set", "data.name=mnist",
                                "--input", "1,28,28", "--classes", "10"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_TRUE(result.has("5,860")) << result.text;  // 4*25 + 4*12*12*10
  EXPECT_TRUE(result.has("reads") && result.has("input")) << result.text;
  expect_error({"inspect", recipe(), "--input", "1,28,28"}, 2, "--input and --output go together");
  const CliResult values = run({"inspect", ST_SOURCE_DIR "/recipes/regression-waves.toml"});
  EXPECT_EQ(values.code, 0) << values.text;
  EXPECT_TRUE(values.has("input [8], T = 20")) << values.text;
  for (const char* part : {"MAC error", "energy: about", "activation memory", "end to end", "this recipe"}) {
    EXPECT_TRUE(result.has(part)) << part << " in " << result.text;
  }
}

TEST_F(Cli, InspectsWhatOnlyTheFilesKnow) {
  const ScopedVariable no_data("SPIKETRAIN_DATA", nullptr);
  for (const char* name : {"train/a/1", "train/a/2", "train/b/1", "train/b/2", "one/a/1", "one/a/2"}) {
    std::filesystem::create_directories(
        std::filesystem::path(dir_ / (std::string("mine/") + name)).parent_path());
    write_file_atomic(dir_ / (std::string("mine/") + name + ".bs2"),
                      {Bytes{3, 4, 0x80, 0, 10, 5, 6, 0, 0, 20}});
  }
  const std::string path = dir_ / "folder.toml";
  write_file_atomic(
      path, std::string("neuron = \"lif\"\nrule = \"bptt\"\nobjective = \"rate_ce\"\nsteps = 2\n"
                        "[data]\nname = \"event-folder\"\n[network]\nname = \"spec\"\nspec = \"7-2\"\n"
                        "[events]\nfolder = \"mine\"\nsensor = [8, 9]\ntest_share = 0.5\n"));
  expect_error({"inspect", path}, 2, "give --data-dir, or --input and --output");
  const CliResult result = run({"inspect", path, "--data-dir", dir_.path()});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_TRUE(result.has("input [2,8,9], T = 2")) << result.text;
  expect_error({"inspect", path, "--data-dir", dir_.path(), "--set", "events.train_dir=one"}, 2,
               "one class alone");
  expect_error({"train", path, "--data-dir", dir_.path(), "--set", "events.train_dir=one"}, 2,
               "one class alone");
  // Absurd sizes.
  expect_error({"inspect", path, "--input", "65536,65536,65536", "--output", "2"}, 2, "at most 2.6");
  expect_error({"inspect", path, "--input", "1,500,500", "--output", "2", "--set", "steps=100000", "--set",
                "data.batch=1000000"},
               2, "too much to count");
}

TEST_F(Cli, ListsEverythingRegistered) {
  const CliResult neurons = run({"list", "neurons"});
  EXPECT_EQ(neurons.code, 0);
  for (const auto* entry : Registry<Neuron>::get().entries()) EXPECT_TRUE(neurons.has(entry->name));
  EXPECT_TRUE(neurons.has("tau_m"));
  for (const char* what : {"data", "recipe"}) {
    const CliResult result = run({"list", what});
    EXPECT_EQ(result.code, 0) << what;
    EXPECT_GT(result.lines(), 0) << what;
  }
  for (const PartKind& kind : part_kinds()) {
    const CliResult result = run({"list", kind.plural});
    EXPECT_EQ(result.code, 0) << kind.plural;
    EXPECT_FALSE(kind.parts().empty()) << kind.plural;
    for (const PartDoc& part : kind.parts())
      EXPECT_TRUE(result.has(part.name + "  ")) << kind.plural << part.name;
  }
  for (const char* plural : {"optimizers", "learning_rates", "norms", "metrics", "feedback", "heads",
                             "learning_signals", "stages", "quantizers"})
    EXPECT_EQ(run({"list", plural}).code, 0) << plural;
  const CliResult compat = run({"list", "--compat"});
  constexpr int64_t kTables = 6, kNotes = 1;  // of a rule with a neuron of its own
  const auto rules = static_cast<int64_t>(Registry<Rule>::get().entries().size());
  EXPECT_EQ(compat.lines(), kTables * (rules + 2) - 1 + kNotes) << compat.text;
  EXPECT_TRUE(compat.has("set: event_prop with neuron = {name = \"cuba_lif\"")) << compat.text;
  for (const char* column : {"checkpointed", "adaptive", "drtp", "4R1-4-3", "psp_lif"})
    EXPECT_TRUE(compat.has(column)) << compat.text;
}

TEST_F(Cli, Helps) {
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_TRUE(run({"--version"}).has("spiketrain 0."));
  for (const char* command : {"train ", "eval ", "sweep ", "list ", "inspect ", "data ", "check ", "help "})
    EXPECT_TRUE(run({"help"}).has(str("\n  ", command))) << command;
  EXPECT_TRUE(run({"help", "train"}).has("--resume"));
  EXPECT_TRUE(run({"help", "train"}).has("spiketrain train"));
  EXPECT_TRUE(run({"help", "tau_m"}).has("psp_lif"));
  EXPECT_TRUE(run({"help", "beta"}).has("neuron.leak = 0.9"));  // snnTorch's, beside options of this name
  EXPECT_TRUE(run({"help", "train.clip_norm"}).has("[train]"));
  EXPECT_TRUE(run({"help", "momentum"}).has("[optimizer] name = \"sgd\""));
  EXPECT_TRUE(run({"help", "lif"}).has("neuron lif  leaky integrate-and-fire"));
  EXPECT_TRUE(run({"help", "lif"}).has("    leak "));
  EXPECT_TRUE(run({"help", "rate_ce"}).has("objective rate_ce  "));
  EXPECT_TRUE(run({"help", "confusion"}).has("spiketrain eval --confusion"));
  EXPECT_TRUE(run({"help", "data-dir"}).has("spiketrain data fetch --data-dir"));
  expect_error({"help", "confusoin"}, 2, "did you mean 'confusion'");
  EXPECT_TRUE(run({"help", "mse"}).has("metric mse  "));
  EXPECT_TRUE(run({"help", "mse"}).has("objective mse  "));
  const CliResult one = run({"list", "neurons", "lif"});
  EXPECT_TRUE(one.has("lif  leaky integrate-and-fire; learn_leak") && !one.has("psp_lif")) << one.text;
  EXPECT_TRUE(run({"help", "k"}).has("metric top_k"));
  EXPECT_TRUE(run({"data", "list"}).has("cifar10"));
  EXPECT_EQ(run({"data", "check", "mnist", "--data-dir", dir_.path()}).code, 3);
}

}  // namespace spiketrain::cli_test
