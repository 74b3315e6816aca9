// One thread for LibTorch, BLAS and oneDNN: the order in which they sum depends on how many they may use.
// Tests: property/threads_test.cpp.
#pragma once
#include <omp.h>

namespace spiketrain::ops {

/// While one of these lives, the calling thread has no helpers: for small sums outside for_chunks, and in its chunks,
/// where oneDNN would wait for helpers that never come.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace spiketrain::ops
