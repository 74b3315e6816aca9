// A terminal that is closed and a pipe whose reader has gone end a run as Ctrl-C does: with a checkpoint.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "tests/support/process.h"
#include "tests/support/runs.h"

namespace spiketrain::signal_test {

class Signals : public ::testing::Test {
 protected:
  Signals() : recipe_(write_recipe(dir_)) {}
  std::vector<std::string> train(const std::string& run, bool resume = false) const {
    std::vector<std::string> arguments = {ST_CLI, "train", recipe_, "--out", run, "--threads", "1"};
    if (resume) arguments.emplace_back("--resume");
    return arguments;
  }
  static void wait_for_checkpoint(const std::string& run) {
    for (int i = 0; i < 30000 && list_checkpoints(run + "/ckpt").empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  /// Waits until a run has done so many more epochs; false if it does not.
  static bool trains(const std::string& run, int64_t epochs) {
    const auto done = [&]() -> int64_t {
      const std::string path = run + "/metrics.jsonl";
      const std::string text = file_exists(path) ? text_of(path) : "";
      return std::count(text.begin(), text.end(), '\n');
    };
    const int64_t wanted = done() + epochs;
    for (int i = 0; i < 30000 && done() < wanted; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return done() >= wanted;
  }
  /// Resumes to the bits of a run that nobody disturbed.
  void expect_resumes(const std::string& run) {
    EXPECT_FALSE(run_is_done(run));
    EXPECT_NE(text_of(run + "/log.txt").find("stopped; continue with"), std::string::npos);
    ASSERT_EQ(wait_for(spawn(train(dir_ / "whole"), dir_ / "log.txt")), 0) << text_of(dir_ / "log.txt");
    ASSERT_EQ(wait_for(spawn(train(run, true), dir_ / "log.txt")), 0) << text_of(dir_ / "log.txt");
    expect_same_run(dir_ / "whole", run);
  }
  TempDir dir_;
  std::string recipe_;
};

TEST_F(Signals, HangUp) {
  const std::string run = dir_ / "run";
  const pid_t child = spawn(train(run), dir_ / "log.txt");
  wait_for_checkpoint(run);
  kill(child, SIGHUP);
  kill(child, SIGHUP);  // the kernel's and the shell's
  EXPECT_EQ(wait_for(child), 128 + SIGHUP);
  expect_resumes(run);
}

TEST_F(Signals, Terminate) {
  const std::string run = dir_ / "run";
  const pid_t child = spawn(train(run), dir_ / "log.txt");
  wait_for_checkpoint(run);
  kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child), 128 + SIGTERM);
  expect_resumes(run);
}

/// What schedulers send before the time is up.
TEST_F(Signals, OfASchedulerEndCleanly) {
  for (const int signal : {SIGUSR1, SIGUSR2, SIGXCPU}) {
    const std::string run = dir_ / std::to_string(signal);
    const pid_t child = spawn(train(run), dir_ / "log.txt");
    wait_for_checkpoint(run);
    kill(child, signal);
    EXPECT_EQ(wait_for(child), 128 + signal);
    EXPECT_NE(text_of(run + "/log.txt").find("stopped; continue with"), std::string::npos);
  }
}

/// In a batch of minutes.
TEST_F(Signals, ASecondOrderEndsAtOnceWhicheverCameFirst) {
  const std::string run = dir_ / "run";
  std::vector<std::string> arguments = train(run);
  arguments.insert(arguments.end(),
                   {"--set", "data.batch=600", "--set", "network.spec=32C5-64C5-10", "--set", "steps=40"});
  const pid_t child = spawn(arguments, dir_ / "log.txt");
  for (int i = 0; i < 10000 && !file_exists(run + "/cost.json"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  std::this_thread::sleep_for(std::chrono::seconds(1));  // into the batch, before which it would end cleanly
  kill(child, SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child), 1000 + SIGINT);
  EXPECT_TRUE(list_checkpoints(run + "/ckpt").empty());
}

// As nohup does with SIGHUP, and a script's shell with the SIGINT of what it starts in the background.
TEST_F(Signals, OnesThatWereIgnoredStayIgnored) {
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    const std::string run = dir_ / std::to_string(signal);
    std::vector<std::string> arguments = train(run);
    arguments.insert(arguments.end(), {"--set", "epochs=100000"});
    arguments.insert(arguments.begin(),
                     {"/bin/sh", "-c", "trap '' " + std::to_string(signal) + "; exec \"$@\"", "sh"});
    const pid_t child = spawn(arguments, dir_ / "log.txt");
    EXPECT_TRUE(trains(run, 1)) << text_of(dir_ / "log.txt");
    kill(child, signal);
    EXPECT_TRUE(trains(run, 2)) << signal;
    kill(child, SIGKILL);
    EXPECT_EQ(wait_for(child), 1000 + SIGKILL);
  }
}

TEST_F(Signals, ClosedPipe) {
  const std::string run = dir_ / "run", pipe = dir_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  const pid_t child = spawn(train(run), pipe);
  wait_for_checkpoint(run);
  close(reader);
  EXPECT_EQ(wait_for(child), 128 + SIGPIPE);
  expect_resumes(run);
}

}  // namespace spiketrain::signal_test
