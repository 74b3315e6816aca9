#include "spiketrain/parallel/own_cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace spiketrain {

int own_cores(const Placement& placement, bool bind) {
  const auto processes = static_cast<int>(placement.local_size);
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 1;
  const int count = CPU_COUNT(&allowed), own = std::max(1, count / processes);
  if (!bind || count < processes || count < sysconf(_SC_NPROCESSORS_ONLN)) return own;
  const auto part = static_cast<int>(placement.local_rank % placement.local_size);
  const int first = count * part / processes, end = count * (part + 1) / processes;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  for (int core = 0, k = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    if (k >= first && k < end) CPU_SET(core, &mine);
    ++k;
  }
  return sched_setaffinity(0, sizeof(mine), &mine) == 0 ? end - first : own;
}

}  // namespace spiketrain
