// Plugins: what --plugin gives to every command, what a run remembers, and what is refused.
#include "spiketrain/base/plugin.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/base/registration.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/version.h"
#include "tests/support/process.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::plugin_test {

constexpr const char* kNeuron = ST_PLUGIN_DIR "/libst_plugin_neuron.so";
constexpr const char* kClash = ST_PLUGIN_DIR "/libst_plugin_clash.so";

class Plugin : public ::testing::Test {
 protected:
  struct Result {
    int code;
    std::string text;
  };
  Result run(const std::vector<std::string>& arguments) {
    const int code = wait_for(spawn(arguments, dir_ / "output"));
    const Bytes bytes = read_file(dir_ / "output");
    return {code, std::string(bytes.begin(), bytes.end())};
  }
  Result cli(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ST_CLI);
    return run(arguments);
  }
  /// With the test's folder as the working directory.
  Result cli_in_dir(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", dir_.path(), ST_CLI});
    return run(arguments);
  }
  /// Expects exit 2 and one line that holds `part`.
  static void expect_usage(const Result& result, const std::string& part) {
    EXPECT_EQ(result.code, 2) << result.text;
    EXPECT_NE(result.text.find(part), std::string::npos) << result.text;
    EXPECT_EQ(std::count(result.text.begin(), result.text.end(), '\n'), 1) << result.text;
  }
  /// Another file with the same content.
  std::string copy(const std::string& file, const std::string& name) {
    std::filesystem::copy_file(file, dir_ / name);
    return dir_ / name;
  }
  std::string recipe() {
    const std::string path = dir_ / "recipe.toml";
    write_file_atomic(
        path, std::string("steps = 2\nepochs = 1\n[data]\ntrain_size = 40\ntest_size = 20\n"
                          "[network]\nname = \"spec\"\nspec = \"2C5-P2-10\"\n[neuron]\nname = \"plugin_if\"\n"
                          "[rule]\nname = \"bptt\"\n[objective]\nname = \"rate_ce\"\n"));
    return path;
  }
  TempDir dir_;
};

TEST_F(Plugin, EveryCommandTakesIt) {
  const Result list = cli({"list", "neurons", "--plugin", kNeuron});
  EXPECT_EQ(list.code, 0) << list.text;
  EXPECT_NE(list.text.find("plugin_if"), std::string::npos) << list.text;
  EXPECT_EQ(cli({"list", "neurons"}).text.find("plugin_if"), std::string::npos);
  for (const char* command : {"train", "eval", "sweep", "list", "inspect", "data", "check", "help"}) {
    const Result help = cli({command, "--help"});
    EXPECT_NE(help.text.find("--plugin"), std::string::npos) << command;
  }
  EXPECT_EQ(cli({"data", "list", "--plugin", kNeuron}).code, 0);
  // Thrown in the plugin, caught in the program.
  expect_usage(cli({"inspect", recipe(), "--plugin", kNeuron, "--set", "neuron.threshold=-1"}), "threshold");
  EXPECT_EQ(cli({"inspect", recipe(), "--plugin", kNeuron}).code, 0);
  EXPECT_NE(cli({"help", "threshold", "--plugin", kNeuron}).text.find("plugin_if"), std::string::npos);
}

TEST_F(Plugin, AnUnknownPartIsAnsweredWithWhatIsLoaded) {
  expect_usage(cli({"inspect", recipe()}), "Parts of your own: --plugin FILE.so");
  expect_usage(cli({"inspect", recipe(), "--plugin", kNeuron, "--set", "neuron.name=mine"}),
               "Plugins loaded: libst_plugin_neuron.so");
}

TEST_F(Plugin, ARunRemembersItsPlugins) {
  const std::string plugin = copy(kNeuron, "libmine.so"), out = dir_ / "run";
  const Result train = cli({"train", recipe(), "--plugin", plugin, "--out", out});
  ASSERT_EQ(train.code, 0) << train.text;
  EXPECT_EQ(cli({"eval", out}).code, 0);
  EXPECT_EQ(cli({"inspect", out}).code, 0);
  const Result more = cli({"train", "--resume", "--out", out, "--set", "epochs=2"});
  EXPECT_EQ(more.code, 0) << more.text;

  // It has moved: the message says so, --plugin gives the new place, and the run remembers that.
  const std::string moved = dir_ / "new/libmine.so";
  std::filesystem::create_directory(dir_ / "new");
  std::filesystem::rename(plugin, moved);
  for (const Result& result : {cli({"eval", out}), cli({"train", "--resume", "--out", out})})
    expect_usage(result,
                 "run/environment.json names the plugin " + plugin + ", which is not there; give its");
  EXPECT_EQ(cli({"eval", out, "--plugin", moved}).code, 0);
  EXPECT_EQ(cli({"train", "--resume", "--out", out, "--set", "epochs=3", "--plugin", moved}).code, 0);
  EXPECT_EQ(cli({"eval", out}).code, 0);
}

TEST_F(Plugin, ARunInTheDefaultFolderRemembersThem) {
  ASSERT_EQ(cli_in_dir({"train", recipe(), "--plugin", kNeuron}).code, 0);
  const Result more = cli_in_dir({"train", recipe(), "--resume", "--set", "epochs=2"});
  EXPECT_EQ(more.code, 0) << more.text;
  EXPECT_TRUE(file_exists(dir_ / "runs/recipe/DONE")) << more.text;
}

TEST_F(Plugin, ACheckpointRemembersThem) {
  const std::string plugin = copy(kNeuron, "libmine.so"), out = dir_ / "run";
  ASSERT_EQ(cli({"train", recipe(), "--plugin", plugin, "--out", out}).code, 0);
  const std::string file = dir_ / "alone.safetensors";
  std::filesystem::rename(out + "/ckpt/best.safetensors", file);
  const Result alone = cli({"eval", file});
  EXPECT_EQ(alone.code, 0) << alone.text;
  std::filesystem::create_directory(dir_ / "new");
  std::filesystem::rename(plugin, dir_ / "new/libmine.so");
  expect_usage(cli({"eval", file}), "alone.safetensors names the plugin " + plugin + ", which is not there");
  EXPECT_EQ(cli({"eval", file, "--plugin", dir_ / "new/libmine.so"}).code, 0);
}

TEST_F(Plugin, ARecordIsAnAbsolutePathOrAnObjectWithOne) {
  const std::string out = dir_ / "run", record = out + "/environment.json";
  ASSERT_EQ(cli({"train", recipe(), "--plugin", kNeuron, "--out", out}).code, 0);
  write_file_atomic(record, Config{{"plugins", {{{"path", kNeuron}, {"sha256", "0"}}}}}.dump());
  EXPECT_EQ(cli({"eval", out}).code, 0);
  copy(kNeuron, "libmine.so");
  for (const Config& entry :
       {Config("libmine.so"), Config{{"path", "libmine.so"}}, Config{{"file", kNeuron}}, Config(1)}) {
    write_file_atomic(record, Config{{"plugins", Config::array({entry})}}.dump());
    const Result result = cli_in_dir({"eval", out});
    EXPECT_EQ(result.code, 3) << result.text;
    EXPECT_NE(result.text.find("environment.json: "), std::string::npos) << result.text;
    EXPECT_NE(result.text.find("expected absolute paths, got " + entry.dump()), std::string::npos)
        << result.text;
  }
}

TEST_F(Plugin, ASuggestedCommandHasIt) {
  const ScopedVariable no_data("SPIKETRAIN_DATA", nullptr);
  const std::string other = dir_ / "other.toml";
  write_file_atomic(other,
                    std::string("[network]\nname = \"spec\"\nspec = \"2C5-P2-10\"\n[neuron]\nname = "
                                "\"psp_lif\"\ntau_m = 4\n[rule]\nname = \"tssl_bp\"\n[objective]\nname = "
                                "\"van_rossum\"\n"));
  for (const char* command : {"train", "inspect", "sweep"})
    expect_usage(cli({command, other, "--plugin", kNeuron, "--set", "neuron.name=plugin_if"}),
                 std::string("this works: spiketrain ") + command + " " + other +
                     " --set neuron=plugin_if --set rule=bptt --set objective=rate_ce --plugin " + kNeuron);
}

TEST_F(Plugin, ASweepHandsItToItsRuns) {
  const Result sweep = cli(
      {"sweep", recipe(), "--plugin", kNeuron, "--over", "neuron.threshold=0.5,1", "--out", dir_ / "sweep"});
  EXPECT_EQ(sweep.code, 0) << sweep.text;
}

TEST_F(Plugin, WhatCannotBeLoadedIsOneLine) {
  expect_usage(cli({"list", "neurons", "--plugin", "/no/libmine.so"}), "plugin /no/libmine.so: No such file");
  write_file_atomic(dir_ / "text.so", std::string("no library\n"));
  expect_usage(cli({"list", "neurons", "--plugin", dir_ / "text.so"}), "expected a shared library");
  expect_usage(cli({"list", "metrics", "--plugin", kClash}),
               "libst_plugin_clash.so: metric 'accuracy' is registered already");
}

TEST_F(Plugin, ARefusedPluginLeavesNothingBehind) {
  for (int i = 0; i < 2; ++i) EXPECT_THROW(load_plugin(kClash), UsageError);
  EXPECT_TRUE(loaded_plugins().empty());
  EXPECT_NO_THROW(make<Metric>("accuracy"));
  EXPECT_THROW(make<Metric>("plugin_zero"), UsageError);
}

TEST_F(Plugin, ASecondCopyOfTheLibraryIsRefused) {
  EXPECT_EQ(loaded_copies().size(), 1u);
  const char* before = std::getenv("ASAN_OPTIONS");
  const std::string options = std::string(before ? before : "") + ":detect_odr_violation=0";
  const ScopedVariable two_copies("ASAN_OPTIONS", options.c_str());  // they are what is tested
  const std::string other = copy(ST_LIBRARY, "libother.so");
  expect_usage(cli({"list", "neurons", "--plugin", other}), "another copy of Spiketrain");

  const std::string alone = ST_PLUGIN_DIR "/two_copies", inside = ST_PLUGIN_DIR "/two_copies_inside";
  EXPECT_EQ(run({alone, ST_LIBRARY}).code, 0);
  EXPECT_EQ(run({alone, ST_LIBRARY, ST_LIBRARY}).code, 0);  // the same file is one copy
  expect_usage(run({alone, ST_LIBRARY, other}), "Spiketrain is in this process more than once, in ");
  expect_usage(run({inside, ST_LIBRARY}),
               "Spiketrain is in this process more than once, in the program and in ");
}

// The program's own parts meet plugins in libspiketrain.so; what else the library of its commands showed, a plugin could
// overrule or be overruled by.
TEST_F(Plugin, TheLibraryOfTheCommandsShowsItsEntryOnly) {
  const auto folder = std::filesystem::path(ST_LIBRARY).parent_path();
  const std::string library = folder / ("libspiketrain_cli-" ST_VERSION ".so");
  const Result symbols =
      run({"/bin/sh", "-c", "nm -D --defined-only \"$0\" | grep -o '[^ ]*spiketrain[^ ]*'", library});
  EXPECT_EQ(symbols.text, "spiketrain_main\n");
}

}  // namespace spiketrain::plugin_test
