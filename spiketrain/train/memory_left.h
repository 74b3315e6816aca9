// How much memory a process can still get, and who says so.
// Tests: train/memory_left_test.cpp, train/limits_test.cpp.
#pragma once
#include <string>

namespace spiketrain {

/// Bytes that this process can take beside what it has, and what sets the limit: `ulimit -v`, a control group, or the
/// machine's memory and swap.  Infinite if nobody tells.
struct MemoryLeft {
  double bytes;
  std::string limit;
};
/// `root` stands before /proc and /sys; for tests.
MemoryLeft memory_left(const std::string& root = "");

/// Bytes of address space left under `ulimit -v`; infinite without a limit.
double address_space_left();

}  // namespace spiketrain
