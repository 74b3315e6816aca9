// Which instruction set the kernels run with.
// Kernels are compiled once per instruction set (Google Highway) and the best one the machine has is taken at
// run time.  The environment variable ST_ISA=<name> lowers the choice, for tests and for comparing machines;
// it is read once, when the first kernel runs.
#pragma once
#include <string>
#include <vector>

namespace spiketrain {

/// Names of the compiled instruction sets this machine can run, best first; does not depend on ST_ISA.
std::vector<std::string> supported_isas();

/// Name of the instruction set in use.  Errors: UsageError if ST_ISA names an unknown or unsupported one.
std::string active_isa();

/// Applies ST_ISA; every kernel host function calls it before it dispatches.  Cheap after the first call.
/// Errors: UsageError if ST_ISA names an unknown or unsupported one (at every call, until it is corrected).
void select_isa();

/// From now on the kernels run with this one, whatever ST_ISA said: for comparing them in one process.  Not
/// while a kernel runs.  Errors: UsageError if the name is unknown or unsupported, or ST_ISA is.
void use_isa(const std::string& name);

}  // namespace spiketrain
