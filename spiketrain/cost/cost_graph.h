// A network as rows for the cost meter and `spiketrain inspect`: what each stage says of itself
// (core/stage.h) and which rows it reads; and what follows from that: what the signals are made of, and where credit
// flows.  Credit is cut between blocks.
#pragma once
#include <vector>

#include "spiketrain/core/network.h"
#include "spiketrain/core/rule.h"

namespace spiketrain {

/// A stage of the network.  A layer has a further row, of kind "projection", for each synapse behind its first: what
/// that synapse reads is the row's own, and its current goes into the layer.
struct NetworkRow : StageInfo {
  int64_t block = 0;
  bool head = false;    ///< part of that block's head
  bool frozen = false;  ///< its node has parameters, and none of them learns
  /// Rows it reads, -1: the network's input.  First what its synapse multiplies, then what adds to the current as it
  /// is; of a stage without weights all that it reads.
  std::vector<int64_t> sources = {};
  std::vector<int64_t> delays = {};  ///< of these, in steps; empty: none
  int64_t node = 0;                  ///< of the network; rows of one node follow each other
};

/// Block by block, each followed by its head.
std::vector<NetworkRow> network_rows(const Network& network);

/// What enters the network.
struct CostInput {
  Shape shape;                   ///< of one sample at one step
  Values values = Values::real;  ///< binary: 0 and one other value
  bool constant = false;         ///< the same values at every step (direct coding)
  double rate = 1;               ///< fraction of them that are not zero
};

/// What the meter has to know of a row and its place; reading means the first of its sources.
struct CostNode {
  bool first = true;     ///< of its node: the row that stands for the node's output
  bool by_step = false;  ///< its node lies between the ends of a delayed edge: it runs one step at a time
  bool reads_binary = false, reads_constant = false;
  bool reads_image = false;      ///< it reads the network's constant image itself, at most filtered in time
  double read_rate = 1;          ///< fraction of what it reads that is not zero; 1 if unknown
  int64_t inputs = 0;            ///< elements it reads, per sample and step
  bool constant = false;         ///< its output is
  Values values = Values::real;  ///< of its output
  double rate = 1;               ///< fraction of its outputs that are not zero; 1 if unknown
  bool grad = false;             ///< a gradient reaches its output
  bool pulls = false;            ///< it backpropagates: W^T delta if it has weights
};

/// `rates` [slot]: firing rates; may be empty.  UsageError if the rows do not form a network.
std::vector<CostNode> cost_graph(const std::vector<NetworkRow>& rows, const CostInput& input,
                                 const std::vector<double>& rates = {});

/// Weights that a forward pass reads; of fixed heads they are no parameters.
int64_t weight_words(const NetworkRow& row);

/// The rule of the layer that row i, which has weights or a neuron, belongs to.
const Rule& rule_of(const std::vector<NetworkRow>& rows, size_t i, const Method& method);

}  // namespace spiketrain
