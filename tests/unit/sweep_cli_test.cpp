// `spiketrain sweep` as a user meets it, on a network that trains in a second.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "spiketrain/base/file.h"
#include "spiketrain/report/sweep.h"
#include "tests/support/process.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::sweep_cli_test {

namespace fs = std::filesystem;

class SweepCli : public ::testing::Test {
 protected:
  const ScopedVariable no_data_{"SPIKETRAIN_DATA", nullptr};
  void SetUp() override {
    write_file_atomic(
        dir_ / "small.toml",
        std::string("epochs = 2\ntitle = \"small\"\nsteps = 4\n[data]\nname = \"glyphs\"\nbatch = 20\n"
                    "train_size = 40\ntest_size = 20\n[network]\nname = \"spec\"\nspec = \"2C5-P2-10\"\n"
                    "[neuron]\nname = \"lif\"\n[rule]\nname = \"bptt\"\n"
                    "[schedule]\nname = \"truncated\"\n[objective]\nname = \"rate_ce\"\n"));
  }
  std::vector<std::string> command(std::vector<std::string> more) const {
    more.insert(more.begin(),
                {ST_CLI, "sweep", dir_ / "small.toml", "--out", dir_ / "out", "--threads", "1"});
    return more;
  }
  int run(const std::vector<std::string>& more) {
    const int code = wait_for(spawn(command(more), dir_ / "output"));
    text_ = read("output");
    return code;
  }
  bool says(const std::string& part) const { return text_.find(part) != std::string::npos; }
  std::string read(const std::string& name) const {
    const Bytes bytes = read_file(dir_ / name);
    return std::string(bytes.begin(), bytes.end());
  }
  bool exists(const std::string& name) const { return fs::exists(dir_ / name); }

  TempDir dir_;
  std::string text_;
};

TEST_F(SweepCli, RunsResumesAndRefusesAnotherGrid) {
  const std::vector<std::string> grid = {"--over", "schedule.window=1,4", "--seeds", "2", "--jobs", "2"};
  std::vector<std::string> dry = grid;
  dry.emplace_back("--dry-run");
  ASSERT_EQ(run(dry), 0) << text_;
  EXPECT_TRUE(says("window=4_seed=2")) << text_;
  EXPECT_FALSE(exists("out"));

  ASSERT_EQ(run(grid), 0) << text_;
  EXPECT_TRUE(says("[4/4]")) << text_;
  for (const char* name : {"sweep.json", "recipe.toml", "table.csv", "table.md", "report.html",
                           "logs/window=1_seed=1.txt", "runs/window=4_seed=2/DONE"})
    EXPECT_TRUE(exists(std::string("out/") + name)) << name;
  EXPECT_NE(read("out/table.csv").find("\n4,2,2,"), std::string::npos) << read("out/table.csv");
  EXPECT_NE(read("out/runs/window=4_seed=2/config.toml").find("seed = 2"), std::string::npos);

  // One run was interrupted and one never started: the rest is left alone.
  const std::string table = read("out/table.csv"), done = dir_ / "out/runs/window=1_seed=1/DONE";
  const auto written = fs::last_write_time(done);
  fs::remove(dir_ / "out/runs/window=1_seed=2/DONE");
  fs::remove_all(dir_ / "out/runs/window=4_seed=1");
  dry = grid;
  dry.emplace_back("--dry-run");
  ASSERT_EQ(run(dry), 0) << text_;
  for (const char* part :
       {"finished  1              window=1_seed=1", "resume    1              window=1_seed=2",
        "start     1              window=4_seed=1"})
    EXPECT_TRUE(says(part)) << part << " in " << text_;
  ASSERT_EQ(run(grid), 0) << text_;
  EXPECT_TRUE(says("2 of 4 runs are finished already")) << text_;
  EXPECT_EQ(fs::last_write_time(done), written);
  EXPECT_NE(read("out/runs/window=1_seed=2/log.txt").find("resumed from"), std::string::npos);
  EXPECT_EQ(read("out/table.csv").substr(0, table.find('\n')), table.substr(0, table.find('\n')));

  EXPECT_EQ(run({"--over", "schedule.window=1,2", "--seeds", "2"}), 2);
  EXPECT_TRUE(says("it sweeps schedule.window=1,4, not schedule.window=1,2")) << text_;
  EXPECT_EQ(run({"--over", "schedule.window=1,4", "--seeds", "2", "--set", "epochs=3"}), 2);
  EXPECT_TRUE(says("its epochs is 2, not 3")) << text_;
}

TEST_F(SweepCli, AFailingRunDoesNotStopTheOthers) {
  // That the samples do not fill one batch shows only when the run has started.
  EXPECT_EQ(run({"--over", "data.batch=4000,20", "--set", "data.drop_last=true", "--seed-list", "3"}), 1)
      << text_;
  EXPECT_TRUE(says("batch=4000_seed=3  failed (exit code 2): spiketrain: ")) << text_;
  EXPECT_TRUE(says("1 run failed")) << text_;
  EXPECT_TRUE(exists("out/runs/batch=20_seed=3/DONE")) << text_;
  EXPECT_NE(read("out/table.md").find("failed (exit code 2)"), std::string::npos);
  EXPECT_NE(read("out/table.md").find("| 4000 | 0 of 1 | - | - |"), std::string::npos);
  EXPECT_NE(read("out/report.html").find("failed (exit code 2)"), std::string::npos);
}

TEST_F(SweepCli, UsageErrorsStartNothing) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--over", "schedule.windw=1"}, "did you mean 'window'"},
      {{"--over", "schedule.window=1,x"}, "window=x_seed=1"},
      {{"--over", "seed=1,2"}, "--seed-list"},
      {{"--over", "epochs=1", "--set", "epochs=2"}, "is swept"},
      {{"--over", "neuron.name=lif,leaky"}, "called lif here"},
      {{"--seeds", "0"}, "seeds"},
      {{"--seeds", "2", "--seed-list", "1"}, "excludes"},
      {{"--jobs", "0"}, "jobs"},
      {{"--device", "tpu"}, "expected cpu or cuda"}};
  for (const auto& [arguments, part] : cases) {
    EXPECT_EQ(run(arguments), 2) << text_;
    EXPECT_TRUE(says(part)) << part << " in " << text_;
    EXPECT_EQ(std::count(text_.begin(), text_.end(), '\n'), 1) << text_;
  }
  EXPECT_FALSE(exists("out"));
  fs::create_directories(dir_ / "out");
  write_file_atomic(dir_ / "out/config.toml", std::string("x"));
  EXPECT_EQ(run({}), 2);
  EXPECT_TRUE(says("holds files and no sweep")) << text_;
}

TEST_F(SweepCli, ShowsTheCommandThatWorks) {
  write_file_atomic(dir_ / "small.toml",
                    std::string("steps = 4\n[network]\nname = \"spec\"\nspec = \"2C5-P2-10\"\n[neuron]\n"
                                "name = \"psp_lif\"\ntau_m = 4\n[rule]\nname = \"tssl_bp\"\n[objective]\n"
                                "name = \"van_rossum\"\n"));
  EXPECT_EQ(run({"--over", "neuron.name=lif,psp_lif", "--seeds", "2"}), 2);
  EXPECT_TRUE(
      says("this works: spiketrain sweep " + (dir_ / "small.toml") +
           " --over neuron=lif,psp_lif --set rule=bptt --set objective=rate_ce --seeds 2 --threads 1"))
      << text_;
  // An option that the working command would lose.
  EXPECT_EQ(run({"--over", "neuron.name=lif,psp_lif", "--set", "neuron.tau_m=3"}), 2);
  EXPECT_FALSE(says("this works")) << text_;
}

TEST_F(SweepCli, ASignalStopsTheRunsWithCheckpoints) {
  const std::vector<std::string> grid = {"--over", "schedule.window=1,4", "--jobs", "2",
                                         "--set",  "epochs=100000"};
  const pid_t sweep = spawn(command(grid), dir_ / "output");
  const std::string runs = dir_ / "out/runs/window=";
  const auto trained = [&](const char* run) { return file_exists(runs + run + "_seed=1/metrics.jsonl"); };
  for (int i = 0; i < 1200 && !(trained("1") && trained("4")); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_EQ(kill(sweep, SIGINT), 0);
  EXPECT_EQ(wait_for(sweep), 128 + SIGINT);
  text_ = read("output");
  EXPECT_TRUE(says("stopped; the same command continues")) << text_;
  for (const char* window : {"1", "4"}) {
    const std::string run = std::string("out/runs/window=") + window + "_seed=1";
    EXPECT_EQ(run_state(dir_ / run), RunState::started) << text_;
    EXPECT_NE(read(run + "/log.txt").find("stopped; continue with"), std::string::npos);
  }
  EXPECT_TRUE(exists("out/report.html"));
}

}  // namespace spiketrain::sweep_cli_test
