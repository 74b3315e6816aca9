// The one place that says how a neuron of another framework is written with ours.
#pragma once
#include <string>

#include "spiketrain/base/registry.h"

namespace spiketrain {

struct PeerNeuron {
  Config config;         ///< of our neuron: "name" and its options
  size_t v_state = 0;    ///< which of our states is the membrane that the peer reports
  double steepness = 0;  ///< bound on |d psi/du|, how far one rounding of u can move a gradient
};

/// `peer` = "spikingjelly" | "snntorch" | "norse"; `cfg` = its class ("cls") and that class's own options,
/// those left out being at the peer's defaults.  A surrogate is given by name, its number as "alpha" (or
/// "slope"), or written behind the name ("sigmoid4").  UsageError on a class, option or value that is not
/// known here.
PeerNeuron peer_neuron(const std::string& peer, const Config& cfg);

}  // namespace spiketrain
