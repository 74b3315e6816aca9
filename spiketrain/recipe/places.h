// Places = names for layers of a network, in a recipe: [rules.PLACE], train.freeze, init.redraw.
//   block0, block1, ...   all layers of a block, its local head aside
//   readout               the output layer, and the local heads of all blocks
//   a node's name         that layer
// Tests: unit/experiment_test.cpp, unit/transfer_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/network.h"

namespace spiketrain {

using Place = std::pair<std::string, std::vector<std::shared_ptr<const Layer>>>;

/// Those of the network's places that are named, in ascending order of precedence.  UsageError if there is no such place, which names
/// `option`.
std::vector<Place> places(const Network& network, const std::vector<std::string>& named,
                          const std::string& option);

/// The layers at these places stop learning: no parameter of theirs asks for a gradient, and their norms go by running statistics.
/// Errors as places(); UsageError if no layer is left that learns.
void freeze(Network& network, const std::vector<std::string>& named);

}  // namespace spiketrain
