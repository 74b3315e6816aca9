// How many bytes of activations a training pass holds at its worst moment, predicted from the rows of
// Network::describe().  The pass over one window (after the first, if there are several) is followed row by
// row, forward and backward, with what each stage, neuron and synapse says that it stores.
//   end to end, or time-major: all rows forward over the window, then all rows backward
//   block-major: for each block forward, head, backward, free; its output is handed on without gradient
// Counted: states, tapes, signals between stages, gradients of signals, sums of weight gradients on their
// way. Not counted: parameters, their .grad (unless asked for), the optimiser, the network's input (unless
// asked for), workspaces of other libraries.  docs/cost-meter.md.
#pragma once
#include "spiketrain/train/cost_graph.h"

namespace spiketrain {

struct MemoryPlan {
  int64_t window = 1;   ///< K, steps
  int64_t windows = 1;  ///< per batch
  int64_t windows_per_update = 1;
  int64_t batch = 1;
  bool block_major = false;
  int threads = 1;
  bool count_gradients = false;  ///< the parameters' .grad do not exist before the pass
  bool count_input = false;
  CostInput input;
};

struct MemoryEstimate {
  int64_t peak = 0;                ///< bytes at the worst moment
  int64_t state = 0;               ///< bytes of states carried between windows
  std::vector<int64_t> kept = {};  ///< [row] bytes between forward and backward of one window
};

MemoryEstimate predict_memory(const std::vector<StageInfo>& rows, const MemoryPlan& plan, const Rule& rule);

}  // namespace spiketrain
