// Training in several processes on this machine, started by `spiketrain launch`: the results of one process, the same bits twice, and
// what happens when a process dies, hangs or has something else.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "spiketrain/parallel/join.h"
#include "tests/support/process_group.h"
#include "tests/support/tcp.h"

namespace spiketrain::parallel_test {

double largest_difference(const NamedTensors& a, const NamedTensors& b) {
  double most = 0;
  EXPECT_EQ(a.size(), b.size());
  for (size_t k = 0; k < a.size(); ++k) {
    EXPECT_EQ(a[k].first, b[k].first);
    most = std::max(
        most, (a[k].second.to(torch::kDouble) - b[k].second.to(torch::kDouble)).abs().max().item<double>());
  }
  return most;
}

TEST_F(Parallel, GivesWhatOneProcessGives) {
  ASSERT_EQ(launch(1, train(dir_ / "one", {"--set", "epochs=2"})), 0) << log();
  for (const int processes : {2, 4}) {
    const std::string run = dir_ / std::to_string(processes);
    ASSERT_EQ(launch(processes, train(run, {"--set", "epochs=2"})), 0) << log();
    EXPECT_TRUE(logged(str("group     ", processes, " processes"))) << log();
    // float32: sums in another order, and Adam's steps where a gradient is nearly nothing.
    EXPECT_LT(largest_difference(newest(dir_ / "one"), newest(run)), 2e-3);
    const auto one = metrics(dir_ / "one"), all = metrics(run);
    ASSERT_EQ(one.size(), all.size());
    for (size_t e = 0; e < one.size(); ++e) {
      EXPECT_NEAR(one[e].at("train_loss").get<double>(), all[e].at("train_loss").get<double>(), 1e-3);
      EXPECT_NEAR(one[e].at("test_accuracy").get<double>(), all[e].at("test_accuracy").get<double>(), 0.06);
    }
  }
}

TEST_F(Parallel, TheSameNumberGivesTheSameBits) {
  for (const char* run : {"a", "b"}) ASSERT_EQ(launch(2, train(dir_ / run)), 0) << log();
  expect_same_run(dir_ / "a", dir_ / "b");
}

TEST_F(Parallel, StopsTogetherAndResumesToTheSameBits) {
  ASSERT_EQ(launch(2, train(dir_ / "whole")), 0) << log();
  const std::string run = dir_ / "run";
  const pid_t launcher = start(2, train(run));
  const auto ranks = processes_of(launcher, run);
  ASSERT_EQ(ranks.size(), 2u) << log();
  kill(ranks[1], SIGTERM);  // one is told, all stop
  EXPECT_EQ(wait_for(launcher), 128 + SIGTERM) << log();
  EXPECT_TRUE(logged("stopped; continue with")) << log();
  ASSERT_EQ(launch(2, train(run, {"--resume"})), 0) << log();
  expect_same_run(dir_ / "whole", run);
}

TEST_F(Parallel, AKilledProcessEndsAllAndNothingIsLost) { kill_and_resume({}); }

TEST_F(Parallel, EachProcessKeepsToItsOwnCores) {
  const auto cores_of = [](pid_t pid) {
    std::ifstream status(str("/proc/", pid, "/status"));
    for (std::string line; std::getline(status, line);)
      if (line.rfind("Cpus_allowed:", 0) == 0) return line;
    return std::string();
  };
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  const int cores = CPU_COUNT(&allowed);
  if (cores < 2 || cores < sysconf(_SC_NPROCESSORS_ONLN))
    GTEST_SKIP() << "there are no cores to divide: " << cores << " may be used";
  for (const bool bind : {true, false}) {
    const std::string run = dir_ / str("run", bind);
    const pid_t launcher = start(
        2, train(run, {"--set", "epochs=200", "--set", str("parallel.bind=", bind ? "true" : "false")}));
    const auto ranks = processes_of(launcher, run);
    ASSERT_EQ(ranks.size(), 2u) << log();
    EXPECT_EQ(cores_of(ranks[0]) != cores_of(ranks[1]), bind) << cores_of(ranks[0]);
    kill(ranks[0], SIGTERM);
    EXPECT_EQ(wait_for(launcher), 128 + SIGTERM) << log();
  }
}

/// Gloo's threads do not take the core from what computes on it.
TEST_F(Parallel, ThreadsOfMessagesWaitForTheCore) {
  if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "these tests run under another scheduling policy";
  const std::string run = dir_ / "run";
  const pid_t launcher = start(2, train(run, {"--set", "epochs=200"}));
  const auto ranks = processes_of(launcher, run);
  ASSERT_EQ(ranks.size(), 2u) << log();
  int patient = 0;
  for (const auto& task : std::filesystem::directory_iterator(str("/proc/", ranks[0], "/task")))
    patient += sched_getscheduler(std::stoi(task.path().filename())) == SCHED_BATCH ? 1 : 0;
  EXPECT_EQ(sched_getscheduler(ranks[0]), SCHED_OTHER);
  EXPECT_GE(patient, 3);  // one for the network, two for collectives
  kill(ranks[0], SIGTERM);
  EXPECT_EQ(wait_for(launcher), 128 + SIGTERM) << log();
}

/// The meeting point answers at MASTER_ADDR, which is 127.0.0.1 here, and at no other address.
TEST_F(Parallel, TheMeetingPointAnswersAtItsAddressAlone) {
  const std::string run = dir_ / "run";
  const pid_t launcher = start(2, train(run, {"--set", "epochs=200"}));
  const auto ranks = processes_of(launcher, run);
  ASSERT_EQ(ranks.size(), 2u) << log();
  std::ifstream file(str("/proc/", ranks[0], "/environ"));
  const std::string environ((std::istreambuf_iterator<char>(file)), {}), name = "MASTER_PORT=";
  const int port = std::stoi(environ.substr(environ.find(name) + name.size()));
  const int own = connection_to("127.0.0.1", port, 5000), other = connection_to("127.0.0.2", port, 300);
  EXPECT_GE(own, 0) << log();
  if (!logged("stays open to all addresses")) {  // the system has filters for sockets
    EXPECT_EQ(other, -1);
  }
  for (const int fd : {own, other})
    if (fd >= 0) close(fd);
  kill(ranks[0], SIGTERM);
  EXPECT_EQ(wait_for(launcher), 128 + SIGTERM) << log();
}

TEST_F(Parallel, AProcessThatHangsEndsAll) {
  const std::string run = dir_ / "run";
  const pid_t launcher = start(2, train(run, {"--set", "epochs=200"}));
  const auto ranks = processes_of(launcher, run);
  ASSERT_EQ(ranks.size(), 2u) << log();
  kill(ranks[1], SIGSTOP);
  for (int i = 0; i < 40000 && !logged("has given no sign of life"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(logged("spiketrain: rank 0: the process of rank 1 has given no sign of life")) << log();
  kill(ranks[1], SIGKILL);
  EXPECT_NE(wait_for(launcher), 0);
}

TEST_F(Parallel, AnotherNumberOfProcessesResumes) {
  const std::string run = dir_ / "run";
  ASSERT_EQ(launch(2, train(run, {"--set", "epochs=2"})), 0) << log();
  ASSERT_EQ(launch(1, train(run, {"--set", "epochs=4", "--resume"})), 0) << log();
  EXPECT_TRUE(logged("shares (was 2, is 1)")) << log();
  EXPECT_EQ(metrics(run).size(), 4u);
}

TEST_F(Parallel, OtherRecipesAreRefused) {
  // Two processes by hand, as torchrun would start them.
  const auto start_rank = [&](int rank, const std::string& set) {
    std::vector<std::string> words = {"/usr/bin/env",          str("RANK=", rank),  "WORLD_SIZE=2",
                                      "MASTER_ADDR=127.0.0.1", "MASTER_PORT=29731", ST_CLI};
    for (const std::string& word : train(dir_ / "run", {"--set", set})) words.push_back(word);
    return spawn(words, dir_ / str("log", rank));
  };
  const auto refused = [&](const std::string& here, const std::string& there, const std::string& part) {
    const pid_t first = start_rank(0, here), second = start_rank(1, there);
    EXPECT_EQ(wait_for(first), 2);
    EXPECT_EQ(wait_for(second), 2);
    for (const int rank : {0, 1}) {
      const std::string text = text_of(dir_ / str("log", rank));
      EXPECT_NE(text.find(str("spiketrain: rank ", rank, ": ", part)), std::string::npos) << text;
    }
  };
  refused("optimizer.lr=0.01", "optimizer.lr=0.02",
          "the processes are to train one network: recipe.optimizer.lr is 0.01 in rank 0 and 0.02 in rank 1");
  refused("parallel.line=1", "parallel.line=2",
          "the processes are to share blocks in one way: [parallel] has");
}

TEST_F(Parallel, ALauncherThatKeepsTheMeetingPointStartsThemAgain) {
  // As torchrun does with --max_restarts: what the first processes left there must not be taken for the next ones'.
  ASSERT_EQ(launch(2, train(dir_ / "whole")), 0) << log();
  c10d::TCPStoreOptions options;
  options.port = 29734;
  options.isServer = true;
  options.waitWorkers = false;
  const auto point = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
  const std::string run = dir_ / "run";
  const auto start_rank = [&](int rank, int restarts) {
    std::vector<std::string> words = {"/usr/bin/env",
                                      str("RANK=", rank),
                                      "WORLD_SIZE=2",
                                      "MASTER_ADDR=127.0.0.1",
                                      "MASTER_PORT=29734",
                                      "TORCHELASTIC_USE_AGENT_STORE=True",
                                      str("TORCHELASTIC_RESTART_COUNT=", restarts),
                                      ST_CLI};
    for (const std::string& word : train(run, {"--resume"})) words.push_back(word);
    return spawn(words, dir_ / str("log", rank));
  };
  const auto log_of = [&](int rank) { return text_of(dir_ / str("log", rank)); };
  pid_t first = start_rank(0, 0), second = start_rank(1, 0);
  for (int i = 0; i < 30000 && list_checkpoints(run + "/ckpt").empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  kill(second, SIGKILL);
  wait_for(second);
  EXPECT_EQ(wait_for(first), kGroup) << log_of(0);
  first = start_rank(0, 1);
  second = start_rank(1, 1);
  EXPECT_EQ(wait_for(first), 0) << log_of(0);
  EXPECT_EQ(wait_for(second), 0) << log_of(1);
  expect_same_run(dir_ / "whole", run);
}

TEST_F(Parallel, ALauncherOfAnotherVersionIsSaid) {
  std::vector<std::string> words = {"/usr/bin/env",
                                    "RANK=1",
                                    "WORLD_SIZE=2",
                                    "MASTER_ADDR=127.0.0.1",
                                    "MASTER_PORT=29735",
                                    "TORCHELASTIC_USE_AGENT_STORE=True",
                                    ST_CLI};
  for (const std::string& word : train(dir_ / "run", {"--set", "parallel.timeout=2"})) words.push_back(word);
  EXPECT_EQ(wait_for(spawn(words, dir_ / "log.txt")), kGroup) << log();
  EXPECT_TRUE(logged("set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1")) << log();
}

TEST_F(Parallel, AFailureOfOneIsToldByAll) {
  // Rank 0 alone writes: its folder cannot be made.
  write_file_atomic(dir_ / "file", "");
  EXPECT_EQ(launch(2, train(dir_ / "file/run")), 3) << log();
  EXPECT_TRUE(logged("spiketrain: rank 1: the process of rank 0 ended: ")) << log();
}

TEST_F(Parallel, AFullDiskEndsAllAndNothingIsLost) {
  const std::string run = dir_ / "run";
  ASSERT_EQ(launch(2, train(dir_ / "whole")), 0) << log();
  // Files may not be larger than a block of 512 bytes: the first checkpoint does not fit.
  std::vector<std::string> words = {
      "/bin/sh", "-c", "ulimit -f 1; exec \"$@\"", "sh", ST_CLI, "launch", "--processes", "2", "--"};
  for (const std::string& word : train(run)) words.push_back(word);
  EXPECT_EQ(wait_for(spawn(words, "/dev/null")), 3);
  ASSERT_EQ(launch(2, train(run, {"--resume"})), 0) << log();
  expect_same_run(dir_ / "whole", run);
}

TEST_F(Parallel, NobodyAtTheMeetingPoint) {
  std::vector<std::string> words = {"/usr/bin/env",      "RANK=1", "WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1",
                                    "MASTER_PORT=29733", ST_CLI};
  for (const std::string& word : train(dir_ / "run", {"--set", "parallel.timeout=2"})) words.push_back(word);
  EXPECT_EQ(wait_for(spawn(words, dir_ / "log.txt")), kGroup) << log();
  EXPECT_TRUE(logged("spiketrain: rank 1: the 2 processes did not meet at 127.0.0.1:29733 within 8 s"))
      << log();
}

TEST_F(Parallel, WhatIsSentIsWhatIsPredicted) {
  ASSERT_EQ(launch(2, train(dir_ / "run", {"--set", "epochs=1"})), 0) << log();
  const Config epoch = Config::parse(text_of(dir_ / "run/metrics.jsonl"));
  int64_t parameters = 0;
  for (const auto& [name, tensor] : tensors_of(dir_ / "run" + "/ckpt/best.safetensors"))
    parameters += tensor.numel();
  const int64_t updates = epoch.at("optimizer_steps");
  const double gradients = 4.0 * static_cast<double>(parameters * updates);  // 2 (W - 1)/W = 1 times them
  EXPECT_GT(epoch.at("bytes_sent").get<double>(), gradients);
  EXPECT_LT(epoch.at("bytes_sent").get<double>(), gradients * 1.02 + 400.0 * static_cast<double>(updates));
}

TEST_F(Parallel, BatchesTooSmallForAllAreRefused) {
  EXPECT_EQ(launch(3, train(dir_ / "run", {"--set", "data.batch=2"})), 2) << log();
  EXPECT_TRUE(logged("leaves a process of 3 without any")) << log();
}

TEST_F(Parallel, LaunchReachesOtherMachinesByACommand) {
  // A stand-in for ssh that runs the line here.
  write_file_atomic(dir_ / "ssh",
                    "#!/bin/sh\necho \"to $1\" >> " + (dir_ / "reached") + "\nexec sh -c \"$2\"\n");
  chmod((dir_ / "ssh").c_str(), 0700);
  write_file_atomic(dir_ / "hosts", "# two machines\nlocalhost\n127.0.0.1 slots=1\n");
  std::vector<std::string> words = {ST_CLI,   "launch", "--hosts", dir_ / "hosts", "--ssh", dir_ / "ssh",
                                    "--port", "29732",  "--"};
  for (const std::string& word : train(dir_ / "run", {"--set", "epochs=1"})) words.push_back(word);
  EXPECT_EQ(wait_for(spawn(words, dir_ / "log.txt")), 0) << log();
  const std::string reached = text_of(dir_ / "reached");
  EXPECT_NE(reached.find("to localhost"), std::string::npos);
  EXPECT_NE(reached.find("to 127.0.0.1"), std::string::npos);
  EXPECT_TRUE(logged("group     2 processes")) << log();
}

TEST_F(Parallel, LaunchSaysWhichMachineCannotBeReached) {
  // A stand-in for ssh that finds one of the two; the other's process waits until it is ended.
  write_file_atomic(dir_ / "ssh", "#!/bin/sh\ntest $1 = there || exit 255\nexec sleep 1000\n");
  chmod((dir_ / "ssh").c_str(), 0700);
  write_file_atomic(dir_ / "hosts", "there\nnowhere\n");
  const std::vector<std::string> words = {ST_CLI,  "launch",     "--hosts", dir_ / "hosts",
                                          "--ssh", dir_ / "ssh", "--grace", "1",
                                          "--",    "train",      recipe_};
  EXPECT_EQ(wait_for(spawn(words, dir_ / "log.txt")), 255) << log();
  EXPECT_TRUE(logged("launch: the machine of rank 1 could not be reached")) << log();
  EXPECT_TRUE(logged("launch: the process of rank 0 did not end, and was ended")) << log();
}

TEST_F(Parallel, LaunchSaysWhatItExpects) {
  const auto refused = [&](std::vector<std::string> words, const std::string& part) {
    words.insert(words.begin(), {ST_CLI, "launch"});
    EXPECT_EQ(wait_for(spawn(words, dir_ / "log.txt")), 2) << log();
    EXPECT_TRUE(logged(part)) << log();
  };
  refused({"--processes", "2"}, "expected what to start after --");
  refused({"--", "train", recipe_}, "expected --processes N, or --hosts FILE");
  refused({"--processes", "2", "--", "eval", "x"}, "only train runs in several processes");
  refused({"--hosts", dir_ / "none", "--", "train", recipe_}, "cannot read");
  write_file_atomic(dir_ / "hosts", "node1 slots=x\n");
  refused({"--hosts", dir_ / "hosts", "--", "train", recipe_},
          "line 1: expected a machine and how many processes");
}

}  // namespace spiketrain::parallel_test
