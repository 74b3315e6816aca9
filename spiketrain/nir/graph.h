// A NIR graph as plain data: what a file of the Neuromorphic Intermediate Representation holds, no more.
//   nodes  types and fields as NIR 1.0 names them (nir/fields.h has the list); nested graphs are nodes of type NIRGraph
//   edges  (source, target) in the order of the file; their order decides which edge of a cycle carries the step before
// Shapes leave out time and batch.  Knows no torch.
// Source: NIR's published specification, Pedersen et al. 2024, "Neuromorphic intermediate representation".
// Tests: unit/nir_graph_test.cpp, golden/nir_test.cpp.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace spiketrain {

/// An array of numbers, row-major.  Every type that occurs fits a double exactly (integers below 2^53).
struct NirArray {
  enum class Type { f32, f64, i64 };
  Type type = Type::f64;
  std::vector<int64_t> shape;  ///< empty: a scalar
  std::vector<double> values;

  /// One number.
  static NirArray number(double value) { return {Type::f64, {}, {value}}; }
  static NirArray integer(int64_t value) { return {Type::i64, {}, {static_cast<double>(value)}}; }
  /// A list of integers.
  static NirArray integers(const std::vector<int64_t>& list) {
    return {Type::i64, {static_cast<int64_t>(list.size())}, {list.begin(), list.end()}};
  }
};

struct NirGraph;

/// Text and numbers by name: metadata, or the fields of a node.
struct NirValues {
  std::map<std::string, NirArray> arrays;
  std::map<std::string, std::string> texts;
  bool empty() const { return arrays.empty() && texts.empty(); }
};

struct NirNode {
  std::string type;
  NirValues fields;
  NirValues metadata;
  std::shared_ptr<NirGraph> graph = {};  ///< of a node of type NIRGraph
};

struct NirGraph {
  std::string version;                                     ///< of the format; of the root only
  std::vector<std::pair<std::string, NirNode>> nodes;      ///< sorted by name, as HDF5 lists them
  std::vector<std::pair<std::string, std::string>> edges;  ///< as in the file, repetitions included
  NirValues metadata;
  std::vector<std::string> unread =
      {};  ///< metadata of the file that are left aside, and why; of the root only

  /// Null if there is no such node.
  const NirNode* find(const std::string& name) const {
    for (const auto& [other, node] : nodes)
      if (other == name) return &node;
    return nullptr;
  }
};

/// UsageError, which names the node and what is wrong with it, unless the graph is one that a network can be made from:
/// one Input and one Output, edges between nodes that exist, every field there, of the right shape, finite and in its
/// range (time constants above 0, the reset below the threshold), and shapes that fit along every edge.
void check_nir(const NirGraph& graph);

}  // namespace spiketrain
