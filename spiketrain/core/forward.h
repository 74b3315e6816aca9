// A network as a function of autograd, for your own training loops: any loss of its output, any optimizer.
// Tests: engine/forward_test.cpp.
#pragma once
#include "spiketrain/core/network.h"

namespace spiketrain {

/// Whether gradients may reach earlier segments through the carry.
enum class States {
  cut,  ///< the carry comes back cut from the graph
  joined  ///< it comes back in the graph: windows that are run one after the other learn as one, until somebody cuts it
};

/// Runs all blocks, without heads, on a segment and returns the values of the output [T,B,*out], in autograd if the
/// context trains and gradients are on: with respect to the parameters, and to x where its edge asks for it.  Gradients pass
/// from block to block.  With States::cut the backward pass of a network that does not run step by step is one node of autograd (core/tape.h), which costs as little as the
/// engine's own; it can go back once, whoever still holds the network.  UsageError for what Network::forward() refuses; in backward for second derivatives
/// and for a second time.
Tensor forward_values(const std::shared_ptr<Network>& network, const Signal& x, const Context& context,
                      Carry& carry, States states = States::cut);

}  // namespace spiketrain
