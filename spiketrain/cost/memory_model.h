// How many bytes of activations a training pass holds at its worst moment, predicted from the rows of a network.  The
// pass over one segment (after the first, if there are several) is walked through as engine/run.cpp and core/layer.cpp
// make it, tensor by tensor, each counted from when it is made until nobody holds it:
//   block-major  for each block forward, head, error, backward, free; its output is handed on without gradient
//   time-major   all blocks forward over the segment, then all backward; also end to end, and segments that are
//                computed again
// Counted: states, records, signals between stages, gradients of signals, sums of weight gradients on their way.  Not
// counted: parameters, their .grad (unless asked for), the optimizer, the network's input (unless asked for),
// workspaces of other libraries.  docs/cost-meter.md.
#pragma once
#include "spiketrain/core/schedule.h"
#include "spiketrain/cost/cost_graph.h"

namespace spiketrain {

struct MemoryPlan {
  Plan plan = {{0, 1}};  ///< of one batch; segments without error are taken to need less than those with
  int64_t batch = 1;
  bool block_major = false;
  int threads = 1;
  bool count_gradients = false;  ///< the parameters' .grad do not exist before the pass
  bool count_input = false;      ///< the encoder makes the input anew for each segment
  bool holds_currents = true;    ///< of constant inputs, for several segments; not while steps are scored
  CostInput input;
};

struct MemoryEstimate {
  int64_t peak = 0;                ///< bytes at the worst moment
  int64_t state = 0;               ///< bytes of states carried between segments
  std::vector<int64_t> kept = {};  ///< [row] bytes between forward and backward of one segment
};

/// UsageError if a layer has no neuron or no rule, the rows do not form a network, or no error enters in the plan.
MemoryEstimate predict_memory(const std::vector<NetworkRow>& rows, const MemoryPlan& plan,
                              const Method& method);

}  // namespace spiketrain
