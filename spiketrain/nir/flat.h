// A graph without nesting, in an order in which it can be run.
//   - Nodes of nested graphs are called "outer/inner"; their Input and Output are gone, and the edges joined.
//   - An edge that closes a cycle carries the value of the step before: found in each graph by itself, before they are joined, by a
//     search in depth from its Input and then from the other nodes, along edges in the order of the file.
// Deviation: none.  Tests: unit/nir_graph_test.cpp, golden/nir_test.cpp.
#pragma once
#include "spiketrain/nir/graph.h"

namespace spiketrain::nir {

/// One edge into a node.
struct Source {
  size_t node;           ///< index in Flat::nodes
  bool delayed = false;  ///< it carries the value of the step before
};

struct FlatNode {
  std::string name;
  const NirNode* node;          ///< lives as long as the graph that it was made from
  std::vector<Source> sources;  ///< in the order of the edges
  std::vector<int64_t> out;     ///< shape of its output
};

struct Flat {
  std::vector<FlatNode> nodes;  ///< those that an undelayed edge leads from come first
  size_t input = 0, output = 0;
  /// "node 'a/b' (LIF)"
  std::string text(size_t node) const;
};

/// UsageError as check_nir().
Flat flatten(const NirGraph& graph);

/// The edges that close a cycle, as said above.
std::vector<std::pair<std::string, std::string>> closing_edges(const NirGraph& graph);

}  // namespace spiketrain::nir
