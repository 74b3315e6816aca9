// ST_ISA: choice of the instruction set at run time; see isa.h.
#include "spiketrain/kernels/isa.h"

#include <cstdlib>

#include "hwy/highway.h"
#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

// Asked before anything is disabled, so that the list does not depend on ST_ISA.
const std::vector<int64_t>& machine_targets() {
  static const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  return targets;
}

bool apply_environment() {
  const std::vector<int64_t>& targets = machine_targets();
  const char* name = std::getenv("ST_ISA");
  if (name == nullptr || *name == '\0') return true;
  for (int64_t target : targets) {
    if (std::string(name) != hwy::TargetName(target)) continue;
    hwy::DisableTargets(target - 1);  // a better target has a lower bit
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return true;
  }
  std::string known;
  for (const std::string& isa : supported_isas()) known += (known.empty() ? "" : ", ") + isa;
  throw UsageError(str("ST_ISA: expected one of ", known, " (what this machine and build support), got '",
                       name, "'; correct it or unset it"));
}

}  // namespace

std::vector<std::string> supported_isas() {
  std::vector<std::string> names;
  for (int64_t target : machine_targets()) names.push_back(hwy::TargetName(target));
  return names;
}

std::string active_isa() {
  select_isa();
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(targets & -targets);
}

void select_isa() {
  // An exception leaves the static uninitialised, so a wrong name is reported at every call.
  static const bool applied = apply_environment();
  static_cast<void>(applied);
}

}  // namespace spiketrain
