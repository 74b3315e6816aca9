// Where this process stands among those that its launcher has started, by the environment variables that launchers set:
//   torchrun, spiketrain launch   RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT
//   torchrun, too                 TORCHELASTIC_USE_AGENT_STORE TORCHELASTIC_RESTART_COUNT
//   srun                          SLURM_PROCID SLURM_STEP_NUM_TASKS SLURM_LOCALID SLURM_STEP_TASKS_PER_NODE
//   mpirun (Open MPI)             OMPI_COMM_WORLD_RANK _SIZE _LOCAL_RANK _LOCAL_SIZE
// srun and mpirun say nothing of where the processes meet: MASTER_ADDR and MASTER_PORT have to be set for them, too.
// Tests: unit/placement_test.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace spiketrain {

struct Placement {
  int64_t rank = 0, size = 1;              ///< of all processes
  int64_t local_rank = 0, local_size = 1;  ///< of those on this machine
  std::string address;                     ///< where process 0, or the launcher, can be reached
  int64_t port = 0;
  bool launchers_store =
      false;  ///< the launcher keeps the meeting point, as torchrun's agent does, not process 0
  int64_t restarts =
      0;  ///< how often the launcher has started its processes again; what earlier ones left at its meeting point is not theirs
};

/// Value of an environment variable; null if it is not set.
using Variable = std::function<const char*(const char*)>;

/// Empty if this process is one by itself.  UsageError if variables are missing, or make no sense.
std::optional<Placement> placement(const Variable& variable);
/// By the process's own environment.
std::optional<Placement> placement();

}  // namespace spiketrain
