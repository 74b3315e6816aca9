// Memory that kernels work in: one buffer for each thread that calls them, as large as the largest call so far asked for, kept
// from call to call.  So the steady state asks the system for nothing.
// Tests: unit/workspace_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain::ops {

/// At least `bytes`, aligned to 64; valid until this thread's next call.  What it holds is undefined.  std::bad_alloc.
void* workspace(int64_t bytes);
/// Bytes that this thread holds.
int64_t workspace_size();

}  // namespace spiketrain::ops
