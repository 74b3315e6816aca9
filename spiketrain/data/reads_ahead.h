// What a data set is besides if its samples lie on a disk: told what is read next, it can have all of it brought at once,
// instead of waiting for one sample after the other.
// Tests: unit/large_data_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain {

class ReadsAhead {
 public:
  virtual ~ReadsAhead() = default;
  /// Samples `indices` [count] are read next.  Does not wait for them.  Callable from many threads.  UsageError as
  /// Dataset::read().
  virtual void read_ahead(const int64_t* indices, int64_t count) const = 0;
};

}  // namespace spiketrain
