// One pass over a batch: windows in time, blocks in space.
//   for each window:  states are cut from the graph (credit does not cross)
//     for each block: forward; loss of its head; backward; its graph is freed; its signal goes on, cut
// That order, "block-major", is what makes a block's window the only history in memory.  In time-major order
// all blocks go forward before any goes backward: the same bits, more memory.
// A network of one block is plain (truncated) backpropagation through time.
// Source: Guo et al. 2023, "Efficient training of spiking neural networks with temporally-truncated local
// backpropagation through time"; the execution order is reconstructed from lifetimes.
// Tests: equiv/blocks_test.cpp, grad/truncated_test.cpp.
#pragma once
#include <functional>
#include <vector>

#include "spiketrain/train/experiment.h"

namespace spiketrain {

/// The samples of a pass.
struct PassInput {
  Tensor x;  ///< [B,*] float, encoded at every step; or [T,B,*] uint8, the frames of a sequence
  Tensor y;  ///< [B] int64 labels
  Encoder::Key key;
};

/// The network's input over a window.
Signal input_window(const Experiment& e, const PassInput& input, const Window& window);

/// Loss of each block's head in one window, detached; the output layer's comes last.  Empty if error does not
/// enter in this window.
using BlockLosses = std::vector<Tensor>;

/// Runs `plan` on a batch; gradients are added to the parameters.  `after_window` is called when a window's
/// backward is done, and may update the weights.  Returns the scores of the output layer [B,classes], summed
/// over the windows.
Tensor run_pass(const Experiment& e, const PassPlan& plan, const PassInput& input, Pass& pass,
                const std::function<void(const Window&, const BlockLosses&)>& after_window);

/// The same with exact credit: one window, no cut between blocks, the output layer's loss only.  Returns it.
Tensor run_exact(const Experiment& e, const PassInput& input, Pass& pass);

}  // namespace spiketrain
