// A NIR graph from a network.
//   Batch norm, factors of pooling and fixed factors go into the weights next to them, and so does the input gain: W' = r W, then r = 1
//   (IF: r = 1/dt; CubaLIF: r = tau_mem/dt and w_in = tau_syn/dt), so that programs that ignore r, or take but one form of it, agree.  Average pooling becomes SumPool2d where weights follow that can take its
//   factor.  Weights and biases are float32, as the network has them, and so are the neurons' arrays, of full shape.
// NIR has no fields for dt, soft and late resets, ">=" at the threshold and surrogates: they are in the metadata, from which
// network_from_nir() takes them, and a note says so where other programs would compute something else.  Each neuron's node holds the
// neuron's options and exact coefficients there ("spiketrain").
// Deviation: none.  Tests: unit/nir_export_test.cpp, golden/nir_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/core/network.h"
#include "spiketrain/nir/graph.h"

namespace spiketrain {

struct NirExportOptions {
  double dt = 0;  ///< seconds a step; 0: the network's own, or else 1e-4
  /// The input gain goes into the weights; false: it stays in r, and the weights keep their bits.
  bool fold = true;
};

struct NirExport {
  NirGraph graph;
  std::vector<std::string> notes;  ///< what the format cannot say, and what was left out
};

/// UsageError, with the name of the node and its part, for what NIR cannot express: other neurons, maximum pooling, an edge with a delay
/// that closes no cycle, learnt delays, event-driven layers.
NirExport to_nir(const Network& network, const NirExportOptions& options = {});

}  // namespace spiketrain
