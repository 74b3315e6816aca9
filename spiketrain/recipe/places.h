// Places = names for parts of a network, in a recipe: [rules.PLACE], train.freeze, init.redraw.
//   block0, block1, ...   all of a block, without its local head
//   readout               the output layer, and the local heads of all blocks
//   a node's name         that layer, or stage with parameters
// Tests: unit/experiment_test.cpp, unit/transfer_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/network.h"

namespace spiketrain {

/// Layers, and other stages that hold parameters or buffers.
using Place = std::pair<std::string, std::vector<std::shared_ptr<Stage>>>;

/// Those of the network's places that are named, in ascending order of precedence.  UsageError if there is no such place, which names
/// `option`.
std::vector<Place> places(const Network& network, const std::vector<std::string>& named,
                          const std::string& option);

/// What is at these places stops learning: no parameter asks for a gradient, and norms go by running statistics.  Errors as places();
/// UsageError if nothing is left that learns.
void freeze(Network& network, const std::vector<std::string>& named);

}  // namespace spiketrain
