// Signals that a command is started with, and what a sweep hands on to its runs.  What stops a run: train/signal_test.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "apps/spiketrain/signals.h"
#include "spiketrain/base/file.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::cli_signals_test {

namespace fs = std::filesystem;

void do_nothing(int) {}

struct sigaction action_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action;
}

TEST(CliSignals, InterruptedCallsGoOnAndIgnoredOnesStayIgnored) {
  const struct sigaction before = action_of(SIGUSR1);
  cli::handle_signal(SIGUSR1, SIG_DFL);
  cli::handle_stop(SIGUSR1, do_nothing);
  EXPECT_EQ(action_of(SIGUSR1).sa_handler, do_nothing);
  EXPECT_TRUE(action_of(SIGUSR1).sa_flags & SA_RESTART);
  cli::handle_signal(SIGUSR1, SIG_IGN);
  cli::handle_stop(SIGUSR1, do_nothing);
  EXPECT_EQ(action_of(SIGUSR1).sa_handler, SIG_IGN);
  cli::handle_signal(SIGUSR1, do_nothing);
  EXPECT_EQ(action_of(SIGUSR1).sa_handler, do_nothing);
  sigaction(SIGUSR1, &before, nullptr);
}

/// Children of a process, from /proc/PID/stat: "PID (name) state PARENT".
std::vector<std::string> children_of(pid_t parent) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    std::ifstream file(entry.path() / "stat");
    std::string line, state;
    if (!std::getline(file, line) || line.rfind(')') == std::string::npos) continue;
    pid_t above = 0;
    std::istringstream(line.substr(line.rfind(')') + 1)) >> state >> above;
    if (above == parent) found.push_back(entry.path().string());
  }
  return found;
}

/// Whether a process ignores a signal.
bool ignores(const std::string& process, int signal) {
  std::ifstream file(process + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("SigIgn:", 0) == 0) return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1)) & 1;
  return false;
}

/// How many open files of a process have names that end so.
int64_t open_files(const std::string& process, const std::string& end) {
  int64_t count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(process + "/fd", error)) {
    const std::string target = fs::read_symlink(entry.path(), error).string();
    count += target.size() >= end.size() && target.compare(target.size() - end.size(), end.size(), end) == 0;
  }
  return count;
}

TEST(CliSignals, RunsOfASweepIgnoreWhatItIgnores) {
  const TempDir dir;
  write_file_atomic(
      dir / "small.toml",
      std::string("epochs = 100000\nsteps = 2\n[data]\nname = \"glyphs\"\nbatch = 20\n"
                  "train_size = 40\ntest_size = 20\n[network]\nname = \"spec\"\nspec = \"2C5-P2-10\"\n"
                  "[neuron]\nname = \"lif\"\n[rule]\nname = \"bptt\"\n"
                  "[objective]\nname = \"rate_ce\"\n"));
  const pid_t sweep = spawn({"/bin/sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh", ST_CLI, "sweep",
                             dir / "small.toml", "--out", dir / "out", "--threads", "1"},
                            dir / "output");
  const std::string metrics = dir / "out/runs/seed=1/metrics.jsonl";
  for (int i = 0; i < 1200 && !file_exists(metrics); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(file_exists(metrics));
  const std::vector<std::string> runs = children_of(sweep);
  EXPECT_EQ(runs.size(), 1U);
  for (const std::string& run : runs) {
    EXPECT_TRUE(ignores(run, SIGINT));
    EXPECT_TRUE(ignores(run, SIGHUP));
    EXPECT_FALSE(ignores(run, SIGTERM));
    EXPECT_EQ(open_files(run, "/logs/seed=1.txt"), 2);  // standard output and error
  }
  kill(sweep, SIGINT);
  kill(sweep, SIGHUP);
  kill(sweep, SIGTERM);  // the one that is answered
  EXPECT_EQ(wait_for(sweep), 128 + SIGTERM);
}

}  // namespace spiketrain::cli_signals_test
