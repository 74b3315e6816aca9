// What the numbers of a network take when stored, where some layers may be binary.
#pragma once
#include <string>

#include "spiketrain/core/network.h"

namespace spiketrain::cli {

/// Which layers of a run's best weights are binary; does nothing if `run` has none yet or is no run directory.  Errors as open_checkpoint().
void take_choice(const std::string& run, Network& network);

/// A row for each layer, and the sum; nothing for a network without quantizers that can be switched.
void print_storage(const Network& network);

/// For an export that stores the weights of binary layers like any others: a line that says so; nothing if no layer is binary.
void print_unpacked(const Network& network);

}  // namespace spiketrain::cli
