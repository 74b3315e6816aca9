// A network from a NIR graph.
//   Each neuron node becomes a layer, with the weights in front of it as its connections; weights that no neuron follows become layers of
//   their own; pooling, flattening and delays stages.  A spike is the number 1 for one step, and time runs by forward Euler:
//     LIF  u = v + dt/tau*((v_leak - v) + r*x);  fires if u > v_threshold;  v = v_reset then, else u.  States begin at 0.
//   An edge that closes a cycle carries the value of the step before (nir/flat.h).
// What the format leaves open is an option; each choice and its reason is a note.
// Deviation: none.  Tests: golden/nir_test.cpp, unit/nir_network_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/network.h"
#include "spiketrain/nir/graph.h"

namespace spiketrain {

/// An empty text: what the file's metadata say, or else the first of the values that are named.
struct NirImportOptions {
  double dt = 0;            ///< seconds; 0: from the file, see nir/time_step.h
  std::string reset;        ///< zero: to v_reset, as NIR says; subtract: takes the threshold off; none
  std::string reset_delay;  ///< true: the reset is part of the next step, without gradient; false
  std::string threshold;    ///< strict: fires above it, as NIR says; at: at it, too
  std::string order;        ///< of CubaLI and CubaLIF: the membrane sees the new synaptic current, or the old
  std::string start;        ///< membranes before the first step: zero, or rest: v_leak
  std::string surrogate;    ///< of spiking neurons, for training; the library's default
  double surrogate_scale = 0;              ///< the surrogate's own number; 0: its default
  torch::ScalarType type = torch::kFloat;  ///< of weights and coefficients
};

struct NirImport {
  std::shared_ptr<Network> network;
  double dt = 0;                   ///< seconds a step
  std::vector<std::string> notes;  ///< what was chosen, and why; what to know
};

/// The network keeps dt.  UsageError, with the node's name and type, for a graph that check_nir() refuses, an option that does not fit it, or a
/// time constant below half a step.
NirImport network_from_nir(const NirGraph& graph, const NirImportOptions& options = {});

}  // namespace spiketrain
