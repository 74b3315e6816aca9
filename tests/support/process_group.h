// Runs in several processes on this machine, started by `spiketrain launch`.
#pragma once
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "spiketrain/parallel/join.h"
#include "tests/support/process.h"
#include "tests/support/runs.h"

namespace spiketrain {

constexpr int kGroup = 5;  // exit code of those that have lost another

class Parallel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_groups())
      GTEST_SKIP() << "this build trains in one process alone: LibTorch has no headers of Gloo";
    recipe_ = write_recipe(dir_);
  }
  std::vector<std::string> train(const std::string& run, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"train",     recipe_, "--out", run,
                                      "--threads", "1",     "--set", "parallel.timeout=10"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  pid_t start(int processes, const std::vector<std::string>& words) const {
    std::vector<std::string> all = {ST_CLI,    "launch", "--processes", std::to_string(processes),
                                    "--grace", "40",     "--"};
    all.insert(all.end(), words.begin(), words.end());
    return spawn(all, dir_ / "log.txt");
  }
  int launch(int processes, const std::vector<std::string>& words) const {
    return wait_for(start(processes, words));
  }
  std::string log() const { return text_of(dir_ / "log.txt"); }
  bool logged(const std::string& part) const { return log().find(part) != std::string::npos; }

  static std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> list;
    std::ifstream file(str("/proc/", parent, "/task/", parent, "/children"));
    for (pid_t child; file >> child;) list.push_back(child);
    return list;
  }
  /// By rank, once training is under way.
  std::vector<pid_t> processes_of(pid_t launcher, const std::string& run) const {
    for (int i = 0; i < 30000 && list_checkpoints(run + "/ckpt").empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::vector<pid_t> ranks;
    for (const pid_t child : children_of(launcher)) {
      std::ifstream file(str("/proc/", child, "/environ"));
      const std::string environ((std::istreambuf_iterator<char>(file)), {});
      const size_t at = (std::string(1, '\0') + environ).find(std::string(1, '\0') + "RANK=");
      if (at == std::string::npos) continue;
      const auto rank = static_cast<size_t>(std::stoi(environ.substr(at + 5)));
      ranks.resize(std::max(ranks.size(), rank + 1));
      ranks[rank] = child;
    }
    return ranks;
  }
  /// Kills one of two processes at random moments, some times (SPIKETRAIN_KILLS, 4), and goes on each time.
  void kill_and_resume(const std::vector<std::string>& more) const {
    const auto train_with = [&](const std::string& run, bool resume = false) {
      std::vector<std::string> words = train(run, more);
      if (resume) words.push_back("--resume");
      return words;
    };
    ASSERT_EQ(launch(2, train_with(dir_ / "whole")), 0) << log();
    std::mt19937 random(3);
    const char* asked = std::getenv("SPIKETRAIN_KILLS");
    const int kills = asked ? std::stoi(asked) : 4;
    for (int i = 0; i < kills; ++i) {
      const std::string run = dir_ / str("run", i);
      const pid_t launcher = start(2, train_with(run));
      const auto ranks = processes_of(launcher, run);
      ASSERT_EQ(ranks.size(), 2u) << log();
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 200));
      const size_t victim = static_cast<size_t>(i) % 2;
      kill(ranks[victim], SIGKILL);
      const int code = wait_for(launcher);
      if (code == 0) continue;  // it was done
      EXPECT_EQ(code, 128 + SIGKILL) << log();
      EXPECT_TRUE(logged(str("spiketrain: rank ", 1 - victim, ": the process of rank ", victim))) << log();
      EXPECT_TRUE(logged("continue from the last checkpoint with --resume")) << log();
      ASSERT_EQ(launch(2, train_with(run, /*resume=*/true)), 0) << log();
      expect_same_run(dir_ / "whole", run);
    }
  }
  TempDir dir_;
  std::string recipe_;
};

}  // namespace spiketrain
