// How the threads of libgomp wait.  It reads its environment when it is loaded, so this is of use before, or if the program
// starts itself again afterwards.
#pragma once
#include <cstdlib>

namespace spiketrain {

/// Lets them sleep after some microseconds, unless the user has said how they wait.  True if it changed the environment.
inline bool wait_passively() {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return false;
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/1);
  // Long enough for the next small kernel, too short to matter beside a busy program.  What the user has set stays.
  setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
  return true;
}

}  // namespace spiketrain
