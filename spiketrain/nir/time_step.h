// The time step of a graph, which NIR leaves open.
#pragma once
#include "spiketrain/nir/flat.h"

namespace spiketrain::nir {

struct TimeStep {
  double dt = 0;  ///< seconds
  std::string reason;
};

/// In this order: `given` if it is above 0; "dt" in the graph's metadata, a number or its text; what the numbers suggest (LIF and CubaLIF with r = tau/dt or w_in =
/// tau_syn/dt, IF with r = 1/dt, IF with r = 1: a step is one unit of time) where they all suggest the same power of ten, and no time constant is shorter; 1e-4.
TimeStep time_step(const NirGraph& graph, const Flat& flat, double given);

/// UsageError if a time constant is below half a step, where forward Euler diverges; a line for each node with one below a
/// step.
std::vector<std::string> check_time_step(const Flat& flat, const TimeStep& step);

}  // namespace spiketrain::nir
