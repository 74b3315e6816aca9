// What the processes of a line (engine/block_pipe.h) have each of its own blocks, brought together.
// All of them call these together.
// Tests: train/line_test.cpp, tests/parallel.
#pragma once
#include "spiketrain/engine/block_pipe.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

struct Scores;

/// Adds the counts of all layers to `sums`, whose run() makes them those of the line; as long as the network has slots.
void add_activity(GroupSums& sums, const Network& network, std::vector<Tally::Count>& counts);

/// Weights, buffers and the optimizer's state of all blocks, to process 0 of the line.
void collect_state(BlockPipe& pipe, Network& network, Optimizer& optimizer);

/// What process 0 of the line has measured at the network's output, to the others.
void share_scores(Group& line, Scores& scores);

}  // namespace spiketrain
