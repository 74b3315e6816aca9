#include "spiketrain/nir/flat.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "spiketrain/base/check.h"
#include "spiketrain/base/text.h"
#include "spiketrain/nir/fields.h"

namespace spiketrain::nir {
namespace {

using Edge = std::pair<std::string, std::string>;
using Names = std::map<std::string, size_t>;  ///< index of a node in its graph

constexpr size_t kMaxDepth = 32, kMaxNodes = 100000, kMaxSources = 1000000;

Names indices(const NirGraph& graph) {
  Names names;
  for (size_t i = 0; i < graph.nodes.size(); ++i) names[graph.nodes[i].first] = i;
  return names;
}

std::vector<Edge> unique_edges(const NirGraph& graph) {
  std::vector<Edge> edges;
  std::set<Edge> seen;
  for (const Edge& edge : graph.edges)
    if (seen.insert(edge).second) edges.push_back(edge);
  return edges;
}

/// A graph, its edges by index, and the order of a search in depth.
struct Search {
  explicit Search(const NirGraph& graph) : targets(graph.nodes.size()), state(graph.nodes.size(), 0) {
    const Names names = indices(graph);
    for (const auto& [from, to] : unique_edges(graph)) targets[names.at(from)].push_back(names.at(to));
    for (size_t i = 0; i < graph.nodes.size(); ++i)
      if (graph.nodes[i].second.type == "Input") visit(i);
    for (size_t i = 0; i < graph.nodes.size(); ++i) visit(i);
    std::reverse(order.begin(), order.end());
  }
  std::vector<size_t> order;                 ///< every node before those that undelayed edges lead to
  std::set<std::pair<size_t, size_t>> back;  ///< edges that close a cycle

 private:
  /// Without recursion: a file may hold a chain of any length.
  void visit(size_t start) {
    if (state[start] != 0) return;
    std::vector<std::pair<size_t, size_t>> path = {{start, 0}};
    state[start] = 1;
    while (!path.empty()) {
      auto& [node, next] = path.back();
      if (next == targets[node].size()) {
        state[node] = 2;
        order.push_back(node);
        path.pop_back();
        continue;
      }
      const size_t target = targets[node][next++];
      if (state[target] == 1) back.insert({node, target});
      if (state[target] != 0) continue;
      state[target] = 1;
      path.emplace_back(target, 0);
    }
  }
  std::vector<std::vector<size_t>> targets;
  std::vector<int> state;  ///< 0 not met, 1 on the path, 2 done
};

void check_edges(const NirGraph& graph, const std::string& where) {
  const Names names = indices(graph);
  ST_CHECK(names.size() == graph.nodes.size(), where, ": two nodes of the same name");
  ST_CHECK(!graph.edges.empty(), where, ": has no edges");
  for (const auto& [from, to] : graph.edges) {
    for (const std::string& name : {from, to})
      ST_CHECK(names.count(name), where, ": the edge '", from, "' -> '", to, "' names a node '", name,
               "' that does not exist");
    ST_CHECK(graph.nodes[names.at(to)].second.type != "Input", where, ": the edge '", from, "' -> '", to,
             "' leads into an Input");
    ST_CHECK(graph.nodes[names.at(from)].second.type != "Output", where, ": the edge '", from, "' -> '", to,
             "' leads out of an Output");
  }
  for (const char* type : {"Input", "Output"}) {
    std::vector<std::string> found;
    for (const auto& [name, node] : graph.nodes)
      if (node.type == type) found.push_back(name);
    ST_CHECK(found.size() == 1, where, ": expected one ", type, ", found ",
             found.empty() ? "none" : str(found.size(), ": ", join(found)));
  }
}

/// Builds the list of nodes, nested graphs in the place of their node.
class Flattener {
 public:
  Flat run(const NirGraph& graph) {
    const auto [input, output] = add(graph, "", "graph", 0);
    flat_.input = input;
    flat_.output = output;
    bypass();
    sort();
    shapes();
    return std::move(flat_);
  }

 private:
  struct Ends {
    size_t input, output;
  };

  /// Nodes and edges of a graph; the nested graphs' Input and Output stay for now, as nodes that hand on what they read.
  Ends add(const NirGraph& graph, const std::string& prefix, const std::string& where, size_t depth) {
    ST_CHECK(depth < kMaxDepth, where, ": graphs are nested more than ", kMaxDepth, " deep");
    check_edges(graph, where);
    std::vector<Ends> ends;
    Ends own = {0, 0};
    for (const auto& [name, node] : graph.nodes) {
      const std::string path = prefix + name;
      ST_CHECK(node.type != "NIRGraph" || node.graph, node_text(path, node.type), ": holds no graph");
      if (node.type == "NIRGraph") {
        ends.push_back(add(*node.graph, path + "/", node_text(path, node.type), depth + 1));
        continue;
      }
      check_fields(node, node_text(path, node.type));
      ST_CHECK(flat_.nodes.size() < kMaxNodes, "graph: more than ", kMaxNodes, " nodes");
      const size_t index = flat_.nodes.size();
      ends.push_back({index, index});
      flat_.nodes.push_back({path, &node, {}, {}});
      inner_.push_back(depth > 0 && (node.type == "Input" || node.type == "Output"));
      if (node.type == "Input") own.input = index;
      if (node.type == "Output") own.output = index;
    }
    const Search search(graph);
    const Names names = indices(graph);
    for (const auto& [from, to] : unique_edges(graph)) {
      const size_t a = names.at(from), b = names.at(to);
      flat_.nodes[ends[b].input].sources.push_back({ends[a].output, search.back.count({a, b}) != 0});
    }
    return own;
  }

  /// What a nested graph's Input and Output read is read by who reads them.
  void bypass() {
    bool found = true;
    size_t all = 0;
    for (const FlatNode& node : flat_.nodes) all += node.sources.size();
    while (found) {
      found = false;
      for (FlatNode& node : flat_.nodes) {
        std::vector<Source> sources;
        for (const Source& source : node.sources) {
          if (!inner_[source.node]) {
            sources.push_back(source);
            continue;
          }
          found = true;
          const FlatNode& passed = flat_.nodes[source.node];
          ST_CHECK(!passed.sources.empty(), flat_.text(source.node), ": no edge leads to it");
          all += passed.sources.size();
          ST_CHECK(all <= kMaxSources, flat_.text(source.node), ": more than ", kMaxSources,
                   " edges lead through it and the nodes before");
          for (const Source& before : passed.sources) {
            ST_CHECK(
                !(before.delayed && source.delayed), flat_.text(source.node),
                ": closes a cycle inside and outside of its graph; a delay of two steps is not supported");
            sources.push_back({before.node, before.delayed || source.delayed});
          }
        }
        node.sources = std::move(sources);
      }
    }
    std::vector<size_t> place(flat_.nodes.size(), 0);
    std::vector<FlatNode> kept;
    for (size_t i = 0; i < flat_.nodes.size(); ++i) {
      if (inner_[i]) continue;
      place[i] = kept.size();
      kept.push_back(std::move(flat_.nodes[i]));
    }
    for (FlatNode& node : kept)
      for (Source& source : node.sources) source.node = place[source.node];
    flat_.nodes = std::move(kept);
    flat_.input = place[flat_.input];
    flat_.output = place[flat_.output];
  }

  /// So that every undelayed edge leads forward.
  void sort() {
    const size_t n = flat_.nodes.size();
    std::vector<std::vector<size_t>> readers(n);
    std::vector<size_t> waits(n, 0), order;
    for (size_t i = 0; i < n; ++i) {
      for (const Source& source : flat_.nodes[i].sources) {
        if (source.delayed) continue;
        readers[source.node].push_back(i);
        ++waits[i];
      }
    }
    std::vector<size_t> ready;
    for (size_t i = n; i-- > 0;)
      if (waits[i] == 0) ready.push_back(i);
    while (!ready.empty()) {
      const size_t node = ready.back();
      ready.pop_back();
      order.push_back(node);
      for (auto it = readers[node].rbegin(); it != readers[node].rend(); ++it)
        if (--waits[*it] == 0) ready.push_back(*it);
    }
    ST_CHECK(order.size() == n, "graph: a cycle through nested graphs that no edge with a delay closes");
    std::vector<size_t> place(n);
    std::vector<FlatNode> sorted;
    for (size_t k = 0; k < n; ++k) {
      place[order[k]] = k;
      sorted.push_back(std::move(flat_.nodes[order[k]]));
    }
    for (FlatNode& node : sorted)
      for (Source& source : node.sources) source.node = place[source.node];
    flat_.nodes = std::move(sorted);
    flat_.input = place[flat_.input];
    flat_.output = place[flat_.output];
  }

  void shapes() {
    int64_t all = 0;
    for (size_t i = 0; i < flat_.nodes.size(); ++i) {
      FlatNode& node = flat_.nodes[i];
      const std::string what = flat_.text(i);
      ST_CHECK(i == flat_.input || !node.sources.empty(), what, ": no edge leads to it");
      std::vector<int64_t> in;
      for (const Source& source : node.sources) {
        if (source.delayed) continue;
        const FlatNode& from = flat_.nodes[source.node];
        ST_CHECK(in.empty() || in == from.out, what, ": its inputs have different shapes, ", text(in),
                 " and ", text(from.out), " of '", from.name, "'");
        in = from.out;
      }
      node.out = output_shape(*node.node, in, what);
      all += std::accumulate(node.out.begin(), node.out.end(), int64_t{1}, std::multiplies<>());
      ST_CHECK(all <= kMaxElements, what, ": up to here the nodes of the graph give ", all,
               " numbers; expected at most ", kMaxElements);
      if (in.empty() && i != flat_.input) in = input_shape(*node.node);
      given_.push_back(in);
    }
    for (size_t i = 0; i < flat_.nodes.size(); ++i) {
      for (const Source& source : flat_.nodes[i].sources)
        ST_CHECK(given_[i] == flat_.nodes[source.node].out, flat_.text(i),
                 ": expected an input of the shape ", text(given_[i]), ", got ",
                 text(flat_.nodes[source.node].out), " from '", flat_.nodes[source.node].name, "'");
    }
  }

  Flat flat_;
  std::vector<bool> inner_;                  ///< [node] Input or Output of a nested graph
  std::vector<std::vector<int64_t>> given_;  ///< [node] shape of its input
};

}  // namespace

std::string Flat::text(size_t node) const { return node_text(nodes[node].name, nodes[node].node->type); }

Flat flatten(const NirGraph& graph) { return Flattener().run(graph); }

std::vector<std::pair<std::string, std::string>> closing_edges(const NirGraph& graph) {
  check_edges(graph, "graph");
  std::vector<Edge> edges;
  for (const auto& [from, to] : Search(graph).back)
    edges.emplace_back(graph.nodes[from].first, graph.nodes[to].first);
  return edges;
}

}  // namespace spiketrain::nir

namespace spiketrain {

void check_nir(const NirGraph& graph) { nir::flatten(graph); }

}  // namespace spiketrain
