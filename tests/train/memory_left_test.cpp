// Who limits the memory of a process, in made-up trees of /proc and /sys.
#include "spiketrain/train/memory_left.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace spiketrain::memory_left_test {

constexpr double kMiB = 1 << 20;

/// A machine of 1000 MiB and 24 MiB of swap; the process has 10 MiB.
class MemoryLeftTest : public ::testing::Test {
 protected:
  MemoryLeftTest() {
    write("proc/meminfo", "MemTotal: 1024000 kB\nMemFree: 5 kB\nSwapTotal: 24576 kB\n");
    write("proc/self/status", "Name: x\nVmSize: 100 kB\nVmRSS: 10240 kB\n");
  }
  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(dir_ / "root") / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  static std::string mib(double n) { return std::to_string(static_cast<int64_t>(n * kMiB)) + "\n"; }
  void expect(double mebibytes, const std::string& who) const {
    const MemoryLeft left = memory_left(dir_ / "root");
    EXPECT_EQ(left.bytes / kMiB, mebibytes);
    EXPECT_NE(left.limit.find(who), std::string::npos) << left.limit;
  }
  TempDir dir_;
};

TEST_F(MemoryLeftTest, OfTheMachine) { expect(1014, "machine"); }

TEST_F(MemoryLeftTest, WhereNobodyTellsThereIsNoLimit) {
  const MemoryLeft left = memory_left(dir_ / "nothing");
  EXPECT_TRUE(std::isinf(left.bytes) || left.limit.find("ulimit") != std::string::npos);
}

TEST_F(MemoryLeftTest, GroupOfVersion2AndThoseAboveIt) {
  write("proc/self/cgroup", "0::/user.slice/job\n");
  write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/memory.max", mib(600));
  expect(590, "control group");  // 600 less what the process has
  write("sys/fs/cgroup/user.slice/memory.current", mib(500));
  expect(100, "control group");  // others of the group have it
  write("sys/fs/cgroup/user.slice/memory.stat",
        "anon 1\ninactive_file " + mib(200) + "active_file " + mib(50));
  expect(350, "control group");  // the page cache would be given back
  write("sys/fs/cgroup/user.slice/job/memory.max", mib(64));
  expect(54, "control group");
  write("sys/fs/cgroup/user.slice/job/memory.current", mib(70));
  expect(0, "control group");
}

TEST_F(MemoryLeftTest, GroupOfVersion1) {
  write("proc/self/cgroup", "9:name=systemd:/x\n4:cpu,memory:/job\n0::/\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", mib(300));
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", mib(120));
  write("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 7\ntotal_inactive_file " + mib(20));
  expect(200, "control group");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  expect(1014, "machine");
}

/// The path is the host's; the container sees its own group at the mount.
TEST_F(MemoryLeftTest, GroupOfAContainer) {
  write("proc/self/cgroup", "0::/docker/0123\n");
  write("sys/fs/cgroup/memory.max", mib(256));
  write("sys/fs/cgroup/memory.current", mib(16));
  expect(240, "control group");
}

}  // namespace spiketrain::memory_left_test
