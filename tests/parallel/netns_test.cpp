// Two hosts, made of network namespaces with a cable between them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "spiketrain/parallel/join.h"
#include "tests/support/process.h"
#include "tests/support/runs.h"

namespace spiketrain::netns_test {

/// Namespaces PREFIX0 and PREFIX1 with the addresses 10.83.0.1 and 10.83.0.2; gone in the end.
class Hosts {
 public:
  Hosts() : prefix_(str("st", getpid(), "n")) {
    there_ = run("ip netns add " + name(0)) && run("ip netns add " + name(1)) &&
             run(str("ip link add ", name(0), " type veth peer name ", name(1)));
    for (int h = 0; h < 2 && there_; ++h)
      there_ = run(str("ip link set ", name(h), " netns ", name(h))) &&
               run(str("ip -n ", name(h), " addr add 10.83.0.", h + 1, "/24 dev ", name(h))) &&
               run(str("ip -n ", name(h), " link set ", name(h), " up")) &&
               run(str("ip -n ", name(h), " link set lo up"));
  }
  ~Hosts() {
    for (int h = 0; h < 2; ++h) run("ip netns del " + name(h));
  }
  bool there() const { return there_; }
  std::string name(int host) const { return prefix_ + std::to_string(host); }
  bool cut() const { return run(str("ip -n ", name(1), " link set ", name(1), " down")); }

 private:
  static bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }
  std::string prefix_;
  bool there_ = false;
};

class OverHosts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_groups())
      GTEST_SKIP() << "this build trains in one process alone: LibTorch has no headers of Gloo";
    if (!hosts_.there()) GTEST_SKIP() << "no network namespaces: needs root and the program ip (iproute2)";
    recipe_ = write_recipe(dir_);
  }
  pid_t start(int rank, const std::string& run, const std::string& epochs) const {
    return spawn({"/usr/bin/env",
                  str("RANK=", rank),
                  "WORLD_SIZE=2",
                  "LOCAL_RANK=0",
                  "LOCAL_WORLD_SIZE=1",
                  "MASTER_ADDR=10.83.0.1",
                  "MASTER_PORT=29500",
                  "ip",
                  "netns",
                  "exec",
                  hosts_.name(rank),
                  ST_CLI,
                  "train",
                  recipe_,
                  "--out",
                  run,
                  "--threads",
                  "1",
                  "--set",
                  "parallel.timeout=10",
                  "--set",
                  "epochs=" + epochs},
                 dir_ / str("log", rank));
  }
  std::string log(int rank) const { return text_of(dir_ / str("log", rank)); }
  Hosts hosts_;
  TempDir dir_;
  std::string recipe_;
};

TEST_F(OverHosts, TrainAsOnOne) {
  for (const char* run : {"a", "b"}) {
    const pid_t first = start(0, dir_ / run, "1"), second = start(1, dir_ / run, "1");
    EXPECT_EQ(wait_for(first), 0) << log(0);
    EXPECT_EQ(wait_for(second), 0) << log(1);
  }
  expect_same_run(dir_ / "a", dir_ / "b");
}

TEST_F(OverHosts, ACutCableEndsBoth) {
  const std::string run = dir_ / "run";
  const pid_t first = start(0, run, "500"), second = start(1, run, "500");
  for (int i = 0; i < 30000 && list_checkpoints(run + "/ckpt").empty(); ++i) usleep(2000);
  ASSERT_TRUE(hosts_.cut());
  EXPECT_EQ(wait_for(first), 5) << log(0);
  EXPECT_EQ(wait_for(second), 5) << log(1);
  EXPECT_NE(log(0).find("spiketrain: rank 0: the process of rank 1 has given no sign of life"),
            std::string::npos)
      << log(0);
  EXPECT_NE(
      log(1).find("spiketrain: rank 1: the process of rank 0, at which the processes meet, does not answer"),
      std::string::npos)
      << log(1);
}

}  // namespace spiketrain::netns_test
