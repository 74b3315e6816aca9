// Whether a network is of a size that can be meant, found by arithmetic before a weight is allocated.
// Tests: unit/network_spec_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/parts/networks/notation.h"
#include "spiketrain/parts/networks/spec.h"

namespace spiketrain {

/// More is taken for a mistake in the notation: weights (4 GiB of floats), values of a sample at one step, and outputs
/// of all layers and pools together.  With these limits no count of operations per step overflows.
constexpr double kMaxWeights = 0x1.0p30, kMaxInputs = 0x1.0p28, kMaxOutputs = 0x1.0p31;

/// UsageError that names the token with which a limit is passed.  A token that does not fit the shape it meets ends the
/// count: who builds the network says why.
void check_sizes(const std::string& spec, const std::vector<Token>& tokens, const SpecOptions& options,
                 const Shape& input);

}  // namespace spiketrain
