#include "spiketrain/train/memory_left.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace spiketrain {
namespace {

constexpr double kUnknown = -1, kInfinite = std::numeric_limits<double>::infinity();

/// First number of a file; kUnknown: no such file, or no number ("max").
double number_in(const std::string& path) {
  std::ifstream file(path);
  double value = kUnknown;
  return file >> value ? value : kUnknown;
}

/// The number behind `name` in a file with one name and number per line; kUnknown if there is none.
double number_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  double value = kUnknown;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name, 0) == 0 && line.size() > name.size())
      return std::istringstream(line.substr(name.size() + 1)) >> value ? value : kUnknown;
  }
  return kUnknown;
}

double kibibytes_of(const std::string& path, const std::string& name) {
  return 1024 * std::max(0.0, number_of(path, name));
}

/// Where a kind of control groups is, and how it calls things.
struct GroupKind {
  std::string mount, limit, used, cache_prefix;
};

/// Bytes left in one control group, of which the kernel would give back the page cache; infinite without a limit.
double left_in(const std::string& folder, const GroupKind& kind, double resident) {
  const double limit = number_in(folder + kind.limit);
  if (limit < 0) return kInfinite;
  const double used = number_in(folder + kind.used);
  if (used < 0) return limit - resident;
  double cache = 0;
  for (const char* list : {"inactive_file", "active_file"})
    cache += std::max(0.0, number_of(folder + "memory.stat", kind.cache_prefix + list));
  return limit - std::max(resident, used - cache);
}

/// Of the group at `path` and of those it lies in.  In a container the path may be one of the host's, of which only the
/// end of the way up can be seen.
double left_up_from(std::string path, const GroupKind& kind, double resident) {
  double least = kInfinite;
  while (true) {
    least = std::min(least, left_in(kind.mount + path + "/", kind, resident));
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

/// Lines "number:controllers:path"; without controllers: version 2.
double left_in_groups(const std::string& root, double resident) {
  std::ifstream groups(root + "/proc/self/cgroup");
  double least = kInfinite;
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers == ",,") {
      least = std::min(
          least, left_up_from(path, {root + "/sys/fs/cgroup", "memory.max", "memory.current", ""}, resident));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = std::min(least, left_up_from(path,
                                           {root + "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                            "memory.usage_in_bytes", "total_"},
                                           resident));
    }
  }
  return least;
}

}  // namespace

double address_space_left() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kInfinite;
  return std::max(0.0, static_cast<double>(limit.rlim_cur) - kibibytes_of("/proc/self/status", "VmSize"));
}

MemoryLeft memory_left(const std::string& root) {
  const double resident = kibibytes_of(root + "/proc/self/status", "VmRSS");
  const std::string meminfo = root + "/proc/meminfo";
  const double machine = kibibytes_of(meminfo, "MemTotal") + kibibytes_of(meminfo, "SwapTotal");
  MemoryLeft least = {machine > 0 ? machine - resident : kInfinite, "the machine's memory"};
  const auto limit = [&](double bytes, const char* name) {
    if (bytes < least.bytes) least = {std::max(0.0, bytes), name};
  };
  limit(left_in_groups(root, resident), "the control group's memory");
  limit(address_space_left(), "the limit on address space (ulimit -v)");
  return least;
}

}  // namespace spiketrain
