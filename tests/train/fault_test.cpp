// A fault at every step of every file of a run, that fails or ends the process there: resumed, the run has the bits of one
// without.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "tests/support/runs.h"

namespace spiketrain::fault_test {

namespace fs = std::filesystem;

/// As if the process had ended: no std::exception, so that nobody cleans up.
struct Crash {};

/// Counts steps, and makes the one with number `fatal` (from 0; -1: none) fail.
class Fault {
 public:
  Fault(int64_t fatal, bool crash) {
    set_file_hook([this, fatal, crash](FileStep step, const std::string& path) {
      if (count_++ != fatal) return;
      where_ = str(static_cast<int>(step), " of ", fs::path(path).filename().string());
      if (crash) throw Crash();
      throw DataError(path, 0, "no space left");
    });
  }
  ~Fault() { set_file_hook(nullptr); }
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;
  int64_t count() const { return count_; }
  const std::string& where() const { return where_; }

 private:
  int64_t count_ = 0;
  std::string where_;
};

const std::vector<std::string> kSets = {"network.spec=\"4\"", "train.checkpoint_batches=3", "epochs=2",
                                        "train.keep=2"};

/// Runs until the fault, if it comes; which step it was.
std::string run_with_fault(const std::string& path, bool resume, int64_t fatal, bool crash) {
  const Fault fault(fatal, crash);
  try {
    run_part(path, kSets, resume, 0);
  } catch (const Crash&) {
  } catch (const DataError&) {
  }
  return fault.where();
}

class Faults : public ::testing::TestWithParam<bool> {};

TEST_P(Faults, EveryStepOfEveryFile) {
  const bool crash = GetParam();
  TempDir dir;
  int64_t steps = 0;
  {
    const Fault none(-1, crash);
    EXPECT_TRUE(run_part(dir / "whole", kSets, false, 0));
    steps = none.count();
  }
  ASSERT_GT(steps, 80);
  std::set<std::string> places;
  for (int64_t k = 0; k < steps; ++k) {
    const std::string run = dir / str("run", k), where = run_with_fault(run, false, k, crash);
    SCOPED_TRACE(str("step ", k, ": ", where));
    ASSERT_FALSE(where.empty());
    places.insert(where.substr(0, 1));
    EXPECT_TRUE(run_is_done(run) || run_part(run, kSets, true, 0));
    EXPECT_TRUE(run_is_done(run));
    expect_same_run(dir / "whole", run);
    for (const auto& entry : fs::recursive_directory_iterator(run))
      EXPECT_EQ(entry.path().string().find(".tmp."), std::string::npos) << entry.path();
    fs::remove_all(run);
  }
  EXPECT_EQ(places.size(), 6u);  // create, write, sync, close, rename, sync of the folder
}

/// Once more while the resumed run takes its first checkpoint.
TEST_P(Faults, AgainInTheResumedRun) {
  const bool crash = GetParam();
  TempDir dir;
  EXPECT_TRUE(run_part(dir / "whole", kSets, false, 0));
  EXPECT_FALSE(run_part(dir / "begun", kSets, false, 4));
  for (int64_t k = 0; k < 40; k += 3) {
    const std::string run = dir / str("run", k);
    fs::copy(dir / "begun", run, fs::copy_options::recursive);
    const std::string where = run_with_fault(run, true, k, crash);
    SCOPED_TRACE(str("step ", k, ": ", where));
    ASSERT_FALSE(where.empty());
    EXPECT_TRUE(run_part(run, kSets, true, 0));
    expect_same_run(dir / "whole", run);
  }
}

INSTANTIATE_TEST_SUITE_P(Fault, Faults, ::testing::Values(false, true),
                         [](const auto& info) { return info.param ? "Crash" : "Failure"; });

}  // namespace spiketrain::fault_test
