// The cores of a machine are divided among the processes of it: each keeps to its own part, so that two of them never share one while
// another is idle.
// Tests: tests/parallel.
#pragma once
#include "spiketrain/parallel/placement.h"

namespace spiketrain {

/// How many cores are this process's.  `bind`: it, and the threads that it begins from now on, keep to them, if it may use all cores of the
/// machine and there are enough; whoever has given it fewer, such as a launcher or a container, has divided them already.
int own_cores(const Placement& placement, bool bind);

}  // namespace spiketrain
