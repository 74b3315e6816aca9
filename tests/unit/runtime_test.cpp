// Settings of the process: how the threads of OpenMP wait is decided before main, so it is looked at from outside.
#include "spiketrain/train/runtime.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::runtime_test {

/// What libgomp says of its settings each time it is loaded by `command`, among other output.
std::string gomp_says(std::vector<std::string> command) {
  TempDir dir;
  command.insert(command.begin(), {"/usr/bin/env", "-u", "OMP_WAIT_POLICY", "-u", "GOMP_SPINCOUNT", "-u",
                                   "GTEST_TOTAL_SHARDS", "-u", "GTEST_SHARD_INDEX", "-u", "GTEST_OUTPUT",
                                   "OMP_DISPLAY_ENV=verbose", "ST_PREPARED_TEST=1"});
  EXPECT_EQ(wait_for(spawn(command, dir / "output")), 0);
  const Bytes bytes = read_file(dir / "output");
  return std::string(bytes.begin(), bytes.end());
}

int64_t count_of(const std::string& text, const std::string& part) {
  int64_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

const char* const kLoaded = "GOMP_SPINCOUNT = ";
const char* const kPassive = "GOMP_SPINCOUNT = '1000'";

TEST(Runtime, TheProgramLoadsItsLibrariesOnceAndWaitsPassively) {
  const std::string text = gomp_says({ST_CLI, "list", "rules"});
  if (count_of(text, kLoaded) == 0) GTEST_SKIP() << "another OpenMP than libgomp";
  EXPECT_EQ(count_of(text, kLoaded), 1) << text;
  EXPECT_EQ(count_of(text, kPassive), 1) << text;
  EXPECT_EQ(count_of(gomp_says({ST_CLI, "--version"}), kLoaded), 0);
}

TEST(Runtime, PrepareProcessStartsAProgramAgainOnce) {
  if (std::getenv("ST_PREPARED_TEST")) {  // as the program below
    std::string path = "/proc/self/exe",
                filter = "--gtest_filter=Runtime.PrepareProcessStartsAProgramAgainOnce";
    char* argv[] = {path.data(), filter.data(), nullptr};
    EXPECT_EQ(prepare_process(argv, 1), 1);
    EXPECT_STREQ(std::getenv("OMP_WAIT_POLICY"), "passive");
    return;
  }
  const std::string text = gomp_says({std::filesystem::read_symlink("/proc/self/exe"),
                                      "--gtest_filter=Runtime.PrepareProcessStartsAProgramAgainOnce"});
  if (count_of(text, kLoaded) == 0) GTEST_SKIP() << "another OpenMP than libgomp";
  EXPECT_EQ(count_of(text, kLoaded), 2) << text;
  EXPECT_EQ(count_of(text, kPassive), 1) << text;
  EXPECT_THROW(prepare_process(nullptr, -1), UsageError);
}

}  // namespace spiketrain::runtime_test
