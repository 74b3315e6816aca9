// A trained batch norm in evaluation, as a factor and a shift of the current: to be folded into weights and biases.
// Tests: unit/conversion_test.cpp, deploy/model_test.cpp, unit/nir_export_test.cpp.
#pragma once
#include "spiketrain/core/norm.h"

namespace spiketrain {

/// y = gain * I + shift per channel; [channels] each, double, on the CPU.
struct FoldedNorm {
  Tensor gain, shift;
};

/// Whether it is a batch norm; others do not fold.
bool folds(const Norm& norm);
/// With its running statistics.  UsageError unless folds().
FoldedNorm folded(const Norm& norm);

}  // namespace spiketrain
