// In place of c10d_group.cpp where LibTorch, or its headers, lack Gloo.
#include "spiketrain/base/check.h"
#include "spiketrain/parallel/join.h"

namespace spiketrain {

bool has_groups() { return false; }

std::shared_ptr<Membership> Membership::join(const Placement& placement, const GroupOptions& /*options*/) {
  throw UsageError(
      str("this build trains in one process alone, and the launcher has started ", placement.size,
          "; LibTorch's c10d needs Gloo's headers when Spiketrain is built (Debian: libgloo-dev, with "
          "Debian's LibTorch)"));
}

}  // namespace spiketrain
