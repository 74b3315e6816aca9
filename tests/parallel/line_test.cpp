// Processes that share the blocks of a network, started by `spiketrain launch`: the bits of one process, whatever happens to them.
#include "tests/support/process_group.h"

namespace spiketrain::parallel_line_test {

using ParallelLine = Parallel;

const std::vector<std::string> kLine = {"--set", "blocks.size=1",  "--set", "blocks.output=apart",
                                        "--set", "parallel.line=2"};

TEST_F(ParallelLine, ALineGivesTheBitsOfOneProcess) {
  ASSERT_EQ(launch(1, train(dir_ / "one", kLine)), 0) << log();
  ASSERT_EQ(launch(2, train(dir_ / "line", kLine)), 0) << log();
  EXPECT_TRUE(logged("group     2 processes, blocks 1 + 1 from the input on")) << log();
  expect_same_run(dir_ / "one", dir_ / "line");
  EXPECT_FALSE(logged("warning")) << log();
}

TEST_F(ParallelLine, LinesShareBatches) {
  std::vector<std::string> words = kLine;
  words.back() = "parallel.line=1";
  ASSERT_EQ(launch(2, train(dir_ / "shares", words)), 0) << log();
  ASSERT_EQ(launch(4, train(dir_ / "lines", kLine)), 0) << log();
  EXPECT_TRUE(logged("group     4 processes, 2 lines with a share of every batch each, blocks 1 + 1"))
      << log();
  expect_same_run(dir_ / "shares", dir_ / "lines");
}

TEST_F(ParallelLine, AKilledProcessOfALine) { kill_and_resume(kLine); }

TEST_F(ParallelLine, ALineStopsTogetherAndResumesInOneProcess) {
  ASSERT_EQ(launch(1, train(dir_ / "one", kLine)), 0) << log();
  for (const size_t told : {0, 1}) {
    const std::string run = dir_ / str("run", told);
    std::vector<std::string> words = train(run, kLine);
    words.insert(words.end(), {"--set", "epochs=200"});
    const pid_t launcher = start(2, words);
    const auto ranks = processes_of(launcher, run);
    ASSERT_EQ(ranks.size(), 2u) << log();
    kill(ranks[told], SIGTERM);
    EXPECT_EQ(wait_for(launcher), 128 + SIGTERM) << log();
    EXPECT_TRUE(logged("stopped; continue with")) << log();
  }
  const std::string run = dir_ / "short";
  std::vector<std::string> words = train(run, kLine);
  words.insert(words.end(), {"--set", "epochs=1"});
  ASSERT_EQ(launch(2, words), 0) << log();
  words = train(run, kLine);
  words.push_back("--resume");
  ASSERT_EQ(launch(1, words), 0) << log();
  expect_same_run(dir_ / "one", run);
}

TEST_F(ParallelLine, LinesThatCannotBeAreRefused) {
  const auto refused = [&](int processes, const std::vector<std::string>& sets, const std::string& part) {
    std::vector<std::string> words = train(dir_ / "none", kLine);
    for (const std::string& set : sets) words.insert(words.end(), {"--set", set});
    EXPECT_EQ(launch(processes, words), 2) << log();
    EXPECT_TRUE(logged(part)) << log();
  };
  refused(2, {"parallel.line=3"}, "parallel.line: expected at most one process for each of the 2 blocks");
  refused(3, {}, "3 processes do not divide into lines of 2");
  refused(2, {"parallel.blocks=[1]"}, "parallel.blocks: expected a number for each of the 2 processes");
  refused(2, {"parallel.blocks=[1,2]"}, "expected the 2 blocks of the network in sum, got 3");
}

}  // namespace spiketrain::parallel_line_test
