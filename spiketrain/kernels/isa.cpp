// ST_ISA: choice of the instruction set at run time; see isa.h.
#include "spiketrain/kernels/isa.h"

#include <cstdlib>

#include "hwy/highway.h"
#include "spiketrain/base/check.h"
#include "spiketrain/base/text.h"

namespace spiketrain {
namespace {

// Asked before anything is chosen, so that the list does not depend on it.
const std::vector<int64_t>& machine_targets() {
  static const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  return targets;
}

/// From now on this target alone.  `option` is named in errors.
void choose(const std::string& name, const char* option) {
  for (const int64_t target : machine_targets()) {
    if (name != hwy::TargetName(target)) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return;
  }
  throw UsageError(str(option, ": expected one of ", join(supported_isas()),
                       " (what this machine and build support), got '", name,
                       "'; correct it or leave it out"));
}

bool apply_environment() {
  const char* name = std::getenv("ST_ISA");
  if (name != nullptr && *name != '\0') choose(name, "ST_ISA");
  return true;
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

void use_isa(const std::string& name) {
  select_isa();
  choose(name, "instruction set");
}

}  // namespace spiketrain
