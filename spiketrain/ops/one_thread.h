// One thread for LibTorch, BLAS and oneDNN: the order in which they sum depends on how many they may use.
// Tests: property/threads_test.cpp.
#pragma once
#include <omp.h>

/// Of MKL, which PyPI's LibTorch holds: it keeps the number that at::set_num_threads() gave it, whatever OpenMP says.  Weak: null where
/// LibTorch has another BLAS.  Returns the number before; 0: as OpenMP or the process says.
extern "C" int MKL_Set_Num_Threads_Local(int threads) __attribute__((weak));

namespace spiketrain::ops {

/// While one of these lives, the calling thread has no helpers: for small sums outside for_chunks, and in its chunks,
/// where oneDNN would wait for helpers that never come.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) {
    omp_set_num_threads(1);
    if (MKL_Set_Num_Threads_Local != nullptr) mkl_before_ = MKL_Set_Num_Threads_Local(1);
  }
  ~OneThread() {
    omp_set_num_threads(before_);
    if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(mkl_before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_, mkl_before_ = 0;
};

}  // namespace spiketrain::ops
