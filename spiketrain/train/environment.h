// What a run records of the machine and the software it ran on.
// Tests: train/environment_test.cpp, unit/plugin_test.cpp.
#pragma once
#include <string>

#include "spiketrain/base/registry.h"

namespace spiketrain {

/// Version, source revision, compiler, processor, SIMD target, threads, LibTorch's version and build, its BLAS, "plugins"
/// ([{"path", "sha256"}]), and "variables": those environment variables that choose code in libraries
/// (OPENBLAS_CORETYPE, ONEDNN_MAX_CPU_ISA, ST_ISA, ...) and are set.
Config environment(const std::string& revision);
/// What of two environments differs and may change the bits of a run, for people: "cpu (was A, is B), ...".  Empty if
/// nothing does; what one of them does not tell is left out.
std::string environment_difference(const Config& before, const Config& now);

}  // namespace spiketrain
