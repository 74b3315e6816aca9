// The rows of Network::describe() as a graph: which row reads which, what the signal between them is made of,
// and where credit flows.  Shared by the cost meter and the memory model.
#pragma once
#include <vector>

#include "spiketrain/core/stage.h"

namespace spiketrain {

/// What enters the network.
struct CostInput {
  Shape shape;                   ///< of one sample at one step
  Values values = Values::real;  ///< binary: spikes
  bool stationary = false;       ///< the same values at every step (direct coding)
  double rate = 1;               ///< fraction of them that are not zero
};

struct CostNode {
  int64_t source = -1;  ///< row it reads; -1: the network's input
  bool last = false;    ///< the block's output
  bool reads_binary = false, reads_stationary = false;
  bool stationary = false;       ///< its output is
  bool reads_image = false;      ///< it reads the network's still image itself, at most filtered in time
  Values values = Values::real;  ///< of its output
  int64_t inputs = 0;            ///< elements it reads, per sample and step
  double rate = 1;               ///< fraction of its outputs that are not zero; 1 if unknown
  bool unit = false;             ///< rows inside follow
  bool grad = false;             ///< credit reaches its output
  bool pulls = false;            ///< it hands credit on to its source: W^T delta if it has weights
};

/// `rates` [slot]: firing rates; may be empty.  UsageError if a row reads one that does not exist.
std::vector<CostNode> cost_graph(const std::vector<StageInfo>& rows, const CostInput& input,
                                 const std::vector<double>& rates = {});

}  // namespace spiketrain
