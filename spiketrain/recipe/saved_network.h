// Networks that begin with weights of their own.
#pragma once
#include "spiketrain/core/network.h"

namespace spiketrain {

/// Of a NetworkBuilder: the networks it builds hold neurons of their own, and begin with weights that are not drawn.
struct StartsWithWeights {
  virtual ~StartsWithWeights() = default;
  /// Overwrites what initialise() drew, in a network that it built, but for heads that were hung on it.  DataError if they cannot be read.
  virtual void load(Network& network) const = 0;
};

}  // namespace spiketrain
