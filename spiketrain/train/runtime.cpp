#include "spiketrain/train/runtime.h"

#include <ATen/Parallel.h>
#include <malloc.h>
#include <omp.h>
#include <sched.h>
#include <sys/resource.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
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

namespace {

constexpr double kMiB = 1 << 20;
/// Address space, MiB: of buffers and arenas that all threads share, and of one thread (its stack, its arena, BLAS).
constexpr int kSharedSpace = 256, kThreadSpace = 192;

/// First number of a file of the system; -1: no such file, or no number ("max").
double number_in(const char* path) {
  std::ifstream file(path);
  double value = -1;
  return file >> value ? value : -1;
}

/// A line of /proc/meminfo or /proc/self/status, in bytes; 0 if there is none.
double kibibytes_of(const char* path, const std::string& name) {
  std::ifstream file(path);
  double value = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + ":", 0) == 0)
      return std::istringstream(line.substr(name.size() + 1)) >> value ? value * 1024 : 0;
  }
  return 0;
}

/// Bytes of address space left under `ulimit -v`; negative: no limit.
double address_space_left() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return std::max(0.0, static_cast<double>(limit.rlim_cur) - kibibytes_of("/proc/self/status", "VmSize"));
}

/// OpenBLAS asks for its buffers again for ever where there is no room, so look before the first product.
void check_address_space(int threads) {
  const double left = address_space_left();
  const double needed = (kSharedSpace + threads * kThreadSpace) * kMiB;
  ST_CHECK(left < 0 || left >= needed, "threads: the limit on address space (ulimit -v) leaves ",
           static_cast<int64_t>(left / kMiB), " MiB; ", threads,
           threads == 1 ? " thread needs " : " threads need ", static_cast<int64_t>(needed / kMiB),
           " MiB; raise the limit or give fewer --threads");
}

}  // namespace

MemoryLeft memory_left() {
  const double resident = kibibytes_of("/proc/self/status", "VmRSS");
  const double machine =
      kibibytes_of("/proc/meminfo", "MemTotal") + kibibytes_of("/proc/meminfo", "SwapTotal");
  MemoryLeft least = {machine - resident, "the machine's memory"};
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const double group = number_in(path);
    if (group >= 0 && group - resident < least.bytes)
      least = {group - resident, "the control group's memory"};
  }
  const double space = address_space_left();
  if (space >= 0 && space < least.bytes) least = {space, "the limit on address space (ulimit -v)"};
  return least;
}

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
  if (argv && !std::getenv("OMP_WAIT_POLICY")) {
    setenv("OMP_WAIT_POLICY", "passive", 1);
    setenv("GOMP_SPINCOUNT", "0", 0);
    execv("/proc/self/exe", argv);  // returns only if it fails; then we are merely slower
  }
  keep_memory();
  return set_threads(threads);
}

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

namespace {

/// Variables that choose code, and with it the order of sums, in LibTorch, OpenBLAS, oneDNN, MKL and our kernels.
constexpr const char* kBitsVariables[] = {"ATEN_CPU_CAPABILITY",
                                          "DNNL_CPU_ISA_HINTS",
                                          "DNNL_DEFAULT_FPMATH_MODE",
                                          "DNNL_MAX_CPU_ISA",
                                          "MKL_CBWR",
                                          "MKL_DEBUG_CPU_TYPE",
                                          "MKL_ENABLE_INSTRUCTIONS",
                                          "ONEDNN_CPU_ISA_HINTS",
                                          "ONEDNN_DEFAULT_FPMATH_MODE",
                                          "ONEDNN_MAX_CPU_ISA",
                                          "OPENBLAS_CORETYPE",
                                          "OPENBLAS_L2_SIZE",
                                          "ST_ISA"};

Config bits_variables() {
  Config set = Config::object();
  for (const char* name : kBitsVariables) {
    if (const char* value = std::getenv(name)) set[name] = value;
  }
  return set;
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

Config environment(const std::string& revision) {
  return {{"revision", revision},
          {"compiler", __VERSION__},
          {"cpu", cpu_model()},
          {"simd", active_isa()},
          {"threads", at::get_num_threads()},
          {"variables", bits_variables()},
          {"libtorch", TORCH_VERSION},
          {"libtorch_config", torch::show_config()},
          {"plugins", loaded_plugins()}};
}

std::string environment_difference(const Config& before, const Config& now) {
  std::vector<std::string> list;
  const auto compare = [&](const std::string& name, const Config& a, const Config& b) {
    if (a == b) return;
    const auto text = [](const Config& value) {
      return value.is_string() ? value.get<std::string>() : value.is_null() ? "unset" : value.dump();
    };
    constexpr size_t kShort = 60;
    const bool brief = text(a).size() <= kShort && text(b).size() <= kShort;
    list.push_back(brief ? str(name, " (was ", text(a), ", is ", text(b), ")") : name);
  };
  for (const char* key : {"revision", "compiler", "cpu", "simd", "libtorch", "libtorch_config", "device"}) {
    if (before.contains(key) && now.contains(key)) compare(key, before[key], now[key]);
  }
  const Config none = Config::object();
  const Config a = before.value("variables", none), b = now.value("variables", none);
  if (!before.contains("variables") || !now.contains("variables")) return join(list);
  for (const char* name : kBitsVariables) compare(name, a.value(name, Config()), b.value(name, Config()));
  return join(list);
}

}  // namespace spiketrain
