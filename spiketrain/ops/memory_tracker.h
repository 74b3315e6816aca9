// Counts the bytes that LibTorch's allocators hand out while it lives: on its thread, on the threads that
// backward() uses for the graph, and inside ops::for_chunks.  CPU and CUDA together.  What other libraries
// allocate by themselves (oneDNN's workspaces, the heap of the program) is not seen.
// Method: the hook of LibTorch's own memory profiler (c10::MemoryReportingInfoBase).  Blocks that existed
// before are not counted when they are freed, so the level never falls below zero.
// While one lives, LibTorch's messages below errors are held back: its allocator would remark on every block
// older than the tracker.  Tests: unit/memory_tracker_test.cpp.
#pragma once
#include <cstdint>
#include <memory>

namespace spiketrain {

class MemoryTracker {
 public:
  /// Starts counting.  Trackers may be nested: each sees what is allocated while it lives.
  MemoryTracker();
  /// Must run on the thread of the constructor, in reverse order of construction.
  ~MemoryTracker();
  MemoryTracker(const MemoryTracker&) = delete;
  MemoryTracker& operator=(const MemoryTracker&) = delete;

  /// Bytes allocated since the start and not yet freed.
  int64_t current() const;
  /// Highest value of current() so far.
  int64_t peak() const;
  /// Bytes of all allocations since the start, freed ones included.
  int64_t allocated() const;
  /// Forgets the peak: it becomes current().
  void reset_peak();

 private:
  struct Counter;
  std::shared_ptr<Counter> counter_;
};

}  // namespace spiketrain
