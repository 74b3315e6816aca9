// How long a training step takes in several processes, what they send, and how long they are idle: predicted from what each block
// takes in one process (engine/block_costs.h).  Three ways to share the work:
//   data      every process has all blocks and a share of the batch; gradients are added up while the backward pass runs
//   blocks    processes in a line have some blocks each and hand their spikes on; nothing comes back (engine/block_pipe.h)
//   pipeline  the same line end to end, as exact backpropagation needs it: the batch goes through in pieces, and the gradient of
//             every piece comes back, before all update (GPipe).  Spiketrain does not train that way; it is there to compare.
// The last two with a share of the batch for each of several lines.
// Tests: unit/parallel_model_test.cpp.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace spiketrain {

/// a + b n for n samples.
struct LinearCost {
  double fixed = 0, each = 0;
  double at(double samples) const { return fixed + each * samples; }
  /// Through two measurements; neither part is negative.
  static LinearCost through(double n1, double y1, double n2, double y2);
};

/// Of a block.
struct BlockModel {
  LinearCost forward, backward;  ///< seconds of a step
  double spikes = 0;             ///< bytes that it hands on, of a sample; of the last block 0
  double gradient = 0;           ///< bytes of the gradient by them, of a sample
  double parameters = 0;         ///< bytes of gradients of its weights
};

struct Machines {
  double bandwidth = 1e9;  ///< bytes a second between two processes
  double latency = 50e-6;  ///< seconds of a message
  int64_t cores = 0;       ///< that all processes have together; 0: one each
};

/// What a step is made of.
struct StepModel {
  std::vector<BlockModel> blocks;
  int64_t batch = 1;
  int64_t windows = 1;  ///< messages from a block to the next
};

struct StepPrediction {
  std::vector<int64_t> line;  ///< numbers of blocks of the processes of a line, from the input on
  int64_t shares = 1;         ///< of the batch
  int64_t pieces = 1;         ///< of a share that go through one after the other
  double seconds = 0;
  double idle =
      0;  ///< share of their time in which processes, or cores if there are fewer, have nothing to do
  double sent = 0;  ///< bytes of the process that sends most
};

/// The quickest layout of so many processes, of the last two with two or more in a line; none if there is none: the batch has too few
/// samples, or the network too few blocks.
std::optional<StepPrediction> predict_data(const StepModel& step, int64_t processes,
                                           const Machines& machines);
std::optional<StepPrediction> predict_blocks(const StepModel& step, int64_t processes,
                                             const Machines& machines);
std::optional<StepPrediction> predict_pipeline(const StepModel& step, int64_t processes,
                                               const Machines& machines);
/// Of blocks shared in this way, with as many lines as there are shares.
StepPrediction predict_line(const StepModel& step, const std::vector<int64_t>& line, int64_t shares,
                            const Machines& machines);

}  // namespace spiketrain
