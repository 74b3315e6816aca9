// Settings of the process: threads, memory allocator, and what a run records about the machine.
#pragma once
#include <string>

#include "spiketrain/base/registry.h"

namespace spiketrain {

/// Cores this process may use.
int allowed_cores();
/// Threads for LibTorch, BLAS and the kernels; 0: all allowed cores.  Returns the number set.  UsageError if
/// negative.
int set_threads(int n);
/// Keeps freed blocks in the process: a training step frees and takes the same large blocks again and again,
/// and handing them back to the system costs a page fault per 4 KiB.
void keep_memory();
/// Largest resident size of this process so far, MiB.
double peak_memory_mib();
/// Version, source revision, compiler, SIMD target, threads, LibTorch's build, plugins.
Config environment(const std::string& revision);

}  // namespace spiketrain
