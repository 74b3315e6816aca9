// Small NIR graphs for tests.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/nir/graph.h"

namespace spiketrain {

inline NirArray f32(std::vector<int64_t> shape, std::vector<double> values) {
  for (double& x : values) x = static_cast<double>(static_cast<float>(x));  // as a file keeps them
  return {NirArray::Type::f32, std::move(shape), std::move(values)};
}

/// One number for each of n neurons.
inline NirArray each(int64_t n, double value) {
  return f32({n}, std::vector<double>(static_cast<size_t>(n), value));
}

inline NirNode nir_node(const std::string& type, std::map<std::string, NirArray> fields) {
  NirNode node;
  node.type = type;
  node.fields.arrays = std::move(fields);
  return node;
}

inline NirNode nir_end(const std::string& type, const std::vector<int64_t>& shape) {
  return nir_node(type, {{"shape", NirArray::integers(shape)}});
}

/// Weights of this shape, 0.1, 0.2, ... with alternating signs.
inline NirArray nir_weight(std::vector<int64_t> shape) {
  NirArray array = f32(std::move(shape), {});
  int64_t count = 1;
  for (const int64_t side : array.shape) count *= side;
  for (int64_t i = 0; i < count; ++i)
    array.values.push_back(
        static_cast<double>((i % 3 == 1 ? -0.125 : 0.25) * static_cast<double>(1 + i % 7)));
  return array;
}

inline NirNode nir_lif(int64_t n, double tau = 1e-3, double r = 10) {
  return nir_node("LIF", {{"tau", each(n, tau)},
                          {"r", each(n, r)},
                          {"v_leak", each(n, 0)},
                          {"v_threshold", each(n, 1)},
                          {"v_reset", each(n, 0)}});
}

/// input - fc - lif - output
inline NirGraph nir_chain(int64_t in = 4, int64_t out = 3) {
  NirGraph graph;
  graph.version = "1.0.7";
  graph.nodes = {{"fc", nir_node("Linear", {{"weight", nir_weight({out, in})}})},
                 {"input", nir_end("Input", {in})},
                 {"lif", nir_lif(out)},
                 {"output", nir_end("Output", {out})}};
  graph.edges = {{"input", "fc"}, {"fc", "lif"}, {"lif", "output"}};
  return graph;
}

/// The same with weights from lif to itself.
inline NirGraph nir_recurrent(const std::string& type = "Linear") {
  NirGraph graph = nir_chain();
  NirNode back = nir_node(type, {{"weight", nir_weight({3, 3})}});
  if (type == "Affine") back.fields.arrays["bias"] = each(3, 0.5);
  graph.nodes.emplace_back("rec", back);
  graph.edges.insert(graph.edges.end(), {{"lif", "rec"}, {"rec", "lif"}});
  return graph;
}

inline NirNode& nir_at(NirGraph& graph, const std::string& name) {
  for (auto& [other, node] : graph.nodes)
    if (other == name) return node;
  throw std::runtime_error("no node " + name);
}

inline bool operator==(const NirArray& a, const NirArray& b) {
  return a.type == b.type && a.shape == b.shape && a.values == b.values;
}
inline bool operator==(const NirValues& a, const NirValues& b) {
  return a.arrays == b.arrays && a.texts == b.texts;
}
inline bool operator==(const NirGraph& a, const NirGraph& b);
inline bool operator==(const NirNode& a, const NirNode& b) {
  const bool graphs = a.graph && b.graph ? *a.graph == *b.graph : !a.graph == !b.graph;
  return a.type == b.type && a.fields == b.fields && a.metadata == b.metadata && graphs;
}
inline bool operator==(const NirGraph& a, const NirGraph& b) {
  return a.nodes == b.nodes && a.edges == b.edges && a.metadata == b.metadata;
}

}  // namespace spiketrain
