// Which token of a network in notation makes the output layer.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/parts/networks/notation.h"
#include "spiketrain/parts/networks/spec.h"

namespace spiketrain {

/// Number of the token that makes the output layer, for an output [N] or [C,H,W]: the last one, or that in front of GAP or POP10.
/// UsageError that names the last token if the network does not end in one.
size_t output_token(const std::string& spec, const std::vector<Token>& tokens, const SpecOptions& options,
                    const Shape& output);

}  // namespace spiketrain
