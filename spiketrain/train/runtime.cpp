#include "spiketrain/train/runtime.h"

#include <ATen/Parallel.h>
#include <malloc.h>
#include <omp.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "spiketrain/base/check.h"
#include "spiketrain/base/passive_waiting.h"
#include "spiketrain/train/memory_left.h"

namespace spiketrain {

int allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

namespace {

constexpr double kMiB = 1 << 20;
/// Address space, MiB: of buffers and arenas that all threads share, and of one thread (its stack, its arena, BLAS).
constexpr int kSharedSpace = 256, kThreadSpace = 192;

/// OpenBLAS asks for its buffers again for ever where there is no room, so look before the first product.
void check_address_space(int threads) {
  const double left = address_space_left();
  const double needed = (kSharedSpace + threads * kThreadSpace) * kMiB;
  ST_CHECK(left >= needed, "threads: the limit on address space (ulimit -v) leaves ",
           static_cast<int64_t>(left / kMiB), " MiB; ", threads,
           threads == 1 ? " thread needs " : " threads need ", static_cast<int64_t>(needed / kMiB),
           " MiB; raise the limit or give fewer --threads");
}

}  // namespace

int set_threads(int n) {
  ST_CHECK(n >= 0 && n <= 1024, "threads: expected 0 (all cores) to 1024, got ", n);
  const int count = n == 0 ? allowed_cores() : n;
  check_address_space(count);
  omp_set_dynamic(0);  // OMP_DYNAMIC would give regions fewer threads as the machine's load goes
  at::set_num_threads(count);
  return count;
}

void keep_memory() {
  constexpr int kLarge = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kLarge);
  mallopt(M_TRIM_THRESHOLD, kLarge);
  mallopt(M_TOP_PAD, 64 << 20);
}

int prepare_process(char** argv, int threads) {
  if (argv && wait_passively())
    execv("/proc/self/exe", argv);  // returns only if it fails; then we are merely slower
  keep_memory();
  return set_threads(threads);
}

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

}  // namespace spiketrain
