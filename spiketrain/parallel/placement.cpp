#include "spiketrain/parallel/placement.h"

#include <cstdlib>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

/// What a launcher calls them; the first says that it is this launcher.  Where several have set theirs, as for mpirun within a step of
/// srun, the inner one comes first here.
struct Launcher {
  const char *size, *rank, *local_rank, *local_size;
};
constexpr Launcher kLaunchers[] = {
    {"WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"}};

int64_t number(const Variable& variable, const char* name, int64_t least, int64_t most) {
  const char* text = variable(name);
  ST_CHECK(text, "environment: ", name,
           " is not set; expected it beside the other variables of the launcher");
  char* end = nullptr;
  const long long value = std::strtoll(text, &end, 10);
  // SLURM_STEP_TASKS_PER_NODE is a list, such as "2(x4)" or "2,1": the first node's will do.
  const bool whole = end != text && (*end == 0 || *end == '(' || *end == ',');
  ST_CHECK(whole && value >= least && value <= most, "environment: ", name, ": expected a number from ",
           least, " to ", most, ", got '", text, "'");
  return value;
}

Placement read(const Launcher& launcher, const Variable& variable, int64_t size) {
  Placement p;
  p.size = size;
  p.rank = number(variable, launcher.rank, 0, size - 1);
  p.local_size = variable(launcher.local_size) ? number(variable, launcher.local_size, 1, 1 << 20) : size;
  p.local_rank = variable(launcher.local_rank) ? number(variable, launcher.local_rank, 0, 1 << 20) : p.rank;
  const char* address = variable("MASTER_ADDR");
  ST_CHECK(
      address && *address, "environment: ", launcher.size, " = ", size,
      " processes, but MASTER_ADDR is not set; set it to the address of the machine of rank 0, and MASTER_PORT to a free "
      "port of it, such as 29500");
  p.address = address;
  p.port = number(variable, "MASTER_PORT", 1, 65535);
  const char* agent = variable("TORCHELASTIC_USE_AGENT_STORE");
  p.launchers_store = agent && std::string(agent) == "True";
  const char* restarts = variable("TORCHELASTIC_RESTART_COUNT");
  p.restarts = restarts ? number(variable, "TORCHELASTIC_RESTART_COUNT", 0, 1 << 20) : 0;
  return p;
}

}  // namespace

std::optional<Placement> placement(const Variable& variable) {
  for (const Launcher& launcher : kLaunchers) {
    if (!variable(launcher.size)) continue;
    const int64_t size = number(variable, launcher.size, 1, 1 << 20);
    if (size == 1) return std::nullopt;
    return read(launcher, variable, size);
  }
  return std::nullopt;
}

std::optional<Placement> placement() {
  return placement([](const char* name) { return std::getenv(name); });
}

}  // namespace spiketrain
