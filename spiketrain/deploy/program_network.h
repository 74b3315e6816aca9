// A program in the place of the network it was made from: one stage that runs the machine, so that what measures networks measures it, too.
// It does not learn.  Tests: deploy/run_test.cpp.
#pragma once
#include <memory>

#include "spiketrain/core/network.h"
#include "spiketrain/deploy/program.h"

namespace spiketrain::deploy {

/// A network of one node.  `input` and `output`: shapes of the network the program was made from.  Outputs of Fixed are given as the real
/// numbers that they stand for.
template <class Math>
std::shared_ptr<Network> program_network(std::shared_ptr<const Program<Math>> program, const Shape& input,
                                         const Shape& output);

}  // namespace spiketrain::deploy
