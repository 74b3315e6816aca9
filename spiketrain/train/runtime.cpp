#include "spiketrain/train/runtime.h"

#include <ATen/Parallel.h>
#include <malloc.h>
#include <omp.h>
#include <sched.h>
#include <sys/resource.h>
#include <torch/version.h>

#include <algorithm>
#include <thread>

#include "spiketrain/base/plugin.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {

int allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int set_threads(int n) {
  ST_CHECK(n >= 0 && n <= 1024, "threads: expected 0 (all cores) to 1024, got ", n);
  const int count = n == 0 ? allowed_cores() : n;
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

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

Config environment(const std::string& revision) {
  return {{"revision", revision},       {"compiler", __VERSION__},
          {"simd", active_isa()},       {"threads", at::get_num_threads()},
          {"libtorch", TORCH_VERSION},  {"libtorch_config", torch::show_config()},
          {"plugins", loaded_plugins()}};
}

}  // namespace spiketrain
