// NIR graphs as data: what is refused and how it is said, which edges close cycles, nested graphs in one.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "spiketrain/base/check.h"
#include "spiketrain/nir/fields.h"
#include "spiketrain/nir/flat.h"
#include "tests/support/message.h"
#include "tests/support/nir_graphs.h"

namespace spiketrain::nir_graph_test {

struct Damage {
  std::function<void(NirGraph&)> change;
  std::vector<std::string> says;
};

std::vector<Damage> damages() {
  const auto field = [](const std::string& node, const std::string& name, NirArray value) {
    return [=](NirGraph& g) { nir_at(g, node).fields.arrays[name] = value; };
  };
  const double nan = std::nan(""), inf = INFINITY;
  return {
      {field("lif", "tau", f32({3}, {1, 0, 1})),
       {"node 'lif' (LIF)", "tau", "element 1 is 0", "more than 0"}},
      {field("lif", "tau", f32({3}, {1, -1, 1})), {"tau", "element 1 is -1"}},
      {field("lif", "r", f32({3}, {1, 1, nan})), {"node 'lif' (LIF)", "r: element 2 is nan", "finite"}},
      {field("fc", "weight", f32({3, 1}, {1, inf, 1})), {"node 'fc' (Linear)", "weight", "inf"}},
      {field("fc", "weight", {NirArray::Type::i64, {3, 4}, std::vector<double>(12, 1)}),
       {"node 'fc'", "floating-point"}},
      {field("fc", "weight", f32({12}, std::vector<double>(12, 1))), {"two dimensions"}},
      {field("fc", "weight", nir_weight({3, 5})), {"node 'fc' (Linear)", "[5]", "[4]"}},
      {field("fc", "weight", nir_weight({2, 4})), {"node 'lif' (LIF)", "[3]", "[2]"}},
      {field("lif", "tau", f32({4}, {1, 1, 1, 1})), {"node 'lif' (LIF)", "tau", "[4]", "[3]", "one shape"}},
      {field("lif", "v_reset", f32({3}, {0, 1, 0})),
       {"node 'lif' (LIF)", "v_reset", "element 1 is 1", "v_threshold"}},
      {field("lif", "v_peak", f32({3}, {0, 1, 0})), {"node 'lif' (LIF)", "'v_peak'"}},
      {field("output", "shape", NirArray::integers({2})), {"node 'output' (Output)", "[2]", "[3]"}},
      {field("input", "shape", NirArray::integers({0})), {"node 'input' (Input)", "shape", "more than 0"}},
      {field("input", "shape", f32({1}, {4.5})), {"node 'input'", "an integer"}},
      {[](NirGraph& g) { nir_at(g, "lif").fields.arrays.erase("tau"); }, {"node 'lif' (LIF)", "has no tau"}},
      {[](NirGraph& g) { nir_at(g, "fc").fields.texts["weight"] = "w"; },
       {"node 'fc'", "weight", "text \"w\""}},
      {[](NirGraph& g) { nir_at(g, "lif").type = "ALIF"; }, {"node 'lif' (ALIF)", "unknown type", "CubaLIF"}},
      {field("input", "shape", NirArray::integers({1, 4})),
       {"node 'fc' (Linear)", "[4], got [1, 4]", "the first side, 1, is the batch"}},
      {field("fc", "weight", {NirArray::Type::f32, {0, int64_t{1} << 40}, {}}), {"node 'fc'", "a side of 0"}},
      {[](NirGraph& g) { g.edges.clear(); }, {"graph: has no edges"}},
      {[](NirGraph& g) { g.edges.pop_back(); }, {"node 'output' (Output)", "no edge leads to it"}},
      {[](NirGraph& g) { g.edges.emplace_back("lif", "nowhere"); },
       {"'lif' -> 'nowhere'", "'nowhere' that does not exist"}},
      {[](NirGraph& g) { g.edges.emplace_back("lif", "input"); }, {"leads into an Input"}},
      {[](NirGraph& g) { g.edges.emplace_back("output", "lif"); }, {"leads out of an Output"}},
      {[](NirGraph& g) { g.nodes.emplace_back("in2", nir_end("Input", {4})); },
       {"one Input", "found 2: input, in2"}},
      {[](NirGraph& g) { g.nodes.emplace_back("lif", nir_lif(3)); }, {"two nodes of the same name"}},
      {[](NirGraph& g) { g.nodes.emplace_back("alone", nir_lif(3)); },
       {"node 'alone' (LIF)", "no edge leads to it"}},
      {[](NirGraph& g) {
         nir_at(g, "lif") = {"NIRGraph", {}, {}, nullptr};
       },
       {"node 'lif' (NIRGraph)", "holds no graph"}},
  };
}

TEST(NirGraph, RefusalsNameTheNodeAndWhatIsWrong) {
  check_nir(nir_chain());
  size_t number = 0;
  for (const Damage& damage : damages()) {
    SCOPED_TRACE(number++);
    NirGraph graph = nir_chain();
    damage.change(graph);
    const std::string what = message_of<UsageError>([&] { check_nir(graph); });
    for (const std::string& word : damage.says) EXPECT_NE(what.find(word), std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos);
  }
}

NirNode convolution(const std::string& type, const std::vector<int64_t>& weight) {
  NirNode node = nir_node(type, {{"weight", nir_weight(weight)},
                                 {"bias", each(weight[0], 0)},
                                 {"stride", NirArray::integer(1)},
                                 {"padding", NirArray::integer(0)},
                                 {"dilation", NirArray::integer(1)},
                                 {"groups", NirArray::integer(1)}});
  return node;
}

std::vector<int64_t> shape_after(const NirNode& node, const std::vector<int64_t>& in) {
  nir::check_fields(node, "x");
  return nir::output_shape(node, in, "x");
}

/// Sides that a zero hides from every count.
TEST(NirGraph, SizesDoNotOverflow) {
  NirNode conv = convolution("Conv1d", {1, 1 << 30, 0});
  conv.fields.arrays["weight"].shape = {int64_t{1} << 40, 0, 1 << 30};
  conv.fields.arrays["weight"].values.clear();
  conv.fields.arrays["dilation"] = NirArray::integer(1 << 30);
  EXPECT_NE(message_of<UsageError>([&] { shape_after(conv, {4, 4}); }).find("a side of"), std::string::npos);
}

TEST(NirGraph, InputShapeIsCompared) {
  NirNode conv = convolution("Conv2d", {6, 2, 3, 3});
  conv.fields.arrays["input_shape"] = NirArray::integers({9, 8});
  EXPECT_EQ(shape_after(conv, {2, 9, 8}), (std::vector<int64_t>{6, 7, 6}));
  const std::string what = message_of<UsageError>([&] { shape_after(conv, {2, 8, 8}); });
  EXPECT_NE(what.find("input_shape is [9, 8], but the input is [2, 8, 8]"), std::string::npos) << what;
}

/// A number for all neurons takes no room in a file, whatever their shape.
TEST(NirGraph, MoreNeuronsThanAnyMachineHolds) {
  NirGraph graph = nir_chain();
  graph.nodes = {{"input", nir_end("Input", {1 << 14, 1 << 13})},
                 {"output", nir_end("Output", {1 << 14, 1 << 13})},
                 {"t", nir_node("Threshold", {{"threshold", f32({}, {1})}})}};
  graph.edges = {{"input", "t"}, {"t", "output"}};
  std::string what = message_of<UsageError>([&] { check_nir(graph); });
  EXPECT_NE(what.find("node 'output' (Output): up to here the nodes of the graph give 402653184 numbers"),
            std::string::npos)
      << what;
  nir_at(graph, "input") = nir_end("Input", {1 << 15, 1 << 14});
  what = message_of<UsageError>([&] { check_nir(graph); });
  EXPECT_NE(what.find("node 'input' (Input): [32768, 16384] is more than 268435456 numbers"),
            std::string::npos)
      << what;
}

TEST(NirGraph, ShapesOfMaps) {
  using Shape = std::vector<int64_t>;
  NirNode conv = convolution("Conv2d", {6, 2, 3, 5});
  EXPECT_EQ(shape_after(conv, {2, 9, 8}), (Shape{6, 7, 4}));
  conv.fields.arrays["stride"] = NirArray::integers({2, 1});
  conv.fields.arrays["padding"] = NirArray::integers({1, 0});
  EXPECT_EQ(shape_after(conv, {2, 9, 8}), (Shape{6, 5, 4}));
  conv.fields.arrays["dilation"] = NirArray::integers({4, 1});
  EXPECT_EQ(shape_after(conv, {2, 9, 8}), (Shape{6, 2, 4}));
  conv.fields.arrays["groups"] = NirArray::integer(2);
  EXPECT_EQ(shape_after(conv, {4, 9, 8}), (Shape{6, 2, 4}));
  EXPECT_NE(message_of<UsageError>([&] { shape_after(conv, {2, 9, 8}); }).find("4 maps"), std::string::npos);
  conv = convolution("Conv2d", {6, 2, 3, 4});
  conv.fields.arrays.erase("padding");
  conv.fields.texts["padding"] = "same";
  EXPECT_EQ(shape_after(conv, {2, 9, 8}), (Shape{6, 9, 8}));
  conv.fields.texts["padding"] = "valid";
  EXPECT_EQ(shape_after(conv, {2, 9, 8}), (Shape{6, 7, 5}));
  conv.fields.texts["padding"] = "full";
  EXPECT_NE(message_of<UsageError>([&] {
              shape_after(conv, {2, 9, 8});
            }).find("\"full\""),
            std::string::npos);
  conv.fields.texts["padding"] = "same";
  conv.fields.arrays["stride"] = NirArray::integer(2);
  EXPECT_NE(message_of<UsageError>([&] {
              shape_after(conv, {2, 9, 8});
            }).find("stride of 1"),
            std::string::npos);
  EXPECT_EQ(shape_after(convolution("Conv1d", {4, 3, 5}), {3, 9}), (Shape{4, 5}));
  EXPECT_NE(message_of<UsageError>([&] {
              shape_after(convolution("Conv1d", {4, 3, 5}), {3, 4});
            }).find("does not fit"),
            std::string::npos);
  const NirNode pool = nir_node("SumPool2d", {{"kernel_size", NirArray::integers({3, 2})},
                                              {"stride", NirArray::integer(2)},
                                              {"padding", NirArray::integers({1, 0})}});
  EXPECT_EQ(shape_after(pool, {5, 7, 6}), (Shape{5, 4, 3}));
  EXPECT_NE(message_of<UsageError>([&] { shape_after(pool, {5, 7}); }).find("[C,H,W]"), std::string::npos);
  const NirNode flatten =
      nir_node("Flatten", {{"start_dim", NirArray::integer(1)}, {"end_dim", NirArray::integer(-1)}});
  EXPECT_EQ(shape_after(flatten, {5, 7, 6}), (Shape{5, 42}));
  EXPECT_NE(message_of<UsageError>([&] { shape_after(flatten, {5}); }).find("start_dim"), std::string::npos);
}

using Edges = std::vector<std::pair<std::string, std::string>>;

TEST(NirGraph, TheEdgeThatClosesACycleDependsOnTheOrderOfEdges) {
  NirGraph graph = nir_recurrent();
  EXPECT_EQ(nir::closing_edges(graph), (Edges{{"rec", "lif"}}));
  graph.edges = {{"input", "rec"}, {"rec", "lif"}, {"lif", "rec"},
                 {"input", "fc"},  {"fc", "lif"},  {"lif", "output"}};
  nir_at(graph, "input") = nir_end("Input", {4});
  EXPECT_EQ(nir::closing_edges(graph), (Edges{{"lif", "rec"}}));
  graph = nir_chain();
  graph.edges.emplace_back("lif", "lif");
  EXPECT_EQ(nir::closing_edges(graph), (Edges{{"lif", "lif"}}));
  const nir::Flat flat = nir::flatten(graph);
  for (const nir::FlatNode& node : flat.nodes)
    if (node.name == "lif") {
      EXPECT_TRUE(node.sources.size() == 2 && node.sources[1].delayed);
    }
}

/// The neuron and its weights to itself in a graph of their own, as snnTorch writes them.
NirGraph nested() {
  NirGraph inner = nir_recurrent();
  inner.nodes.erase(inner.nodes.begin());  // fc
  nir_at(inner, "input") = nir_end("Input", {3});
  inner.edges = {{"input", "lif"}, {"lif", "rec"}, {"rec", "lif"}, {"lif", "output"}};
  NirGraph graph = nir_chain();
  nir_at(graph, "lif") = {"NIRGraph", {}, {}, std::make_shared<NirGraph>(inner)};
  return graph;
}

TEST(NirGraph, NestedGraphsBecomeOne) {
  const nir::Flat flat = nir::flatten(nested());
  std::vector<std::string> names;
  for (const nir::FlatNode& node : flat.nodes) names.push_back(node.name);
  EXPECT_EQ(names, (std::vector<std::string>{"input", "fc", "lif/lif", "lif/rec", "output"}));
  const nir::FlatNode& lif = flat.nodes[2];
  ASSERT_EQ(lif.sources.size(), 2U);
  EXPECT_TRUE(lif.sources[0].node == 1 && !lif.sources[0].delayed);
  EXPECT_TRUE(lif.sources[1].node == 3 && lif.sources[1].delayed);
  EXPECT_EQ(flat.nodes[flat.output].sources[0].node, 2U);
  NirGraph graph = nested();
  nir_at(*nir_at(graph, "lif").graph, "rec").fields.arrays["weight"] = nir_weight({3, 2});
  EXPECT_NE(message_of<UsageError>([&] { check_nir(graph); }).find("node 'lif/rec' (Linear)"),
            std::string::npos);
}

TEST(NirGraph, DeepNestingAndLongChainsEnd) {
  NirGraph graph = nir_chain();
  for (int depth = 0; depth < 40; ++depth) {
    NirGraph outer = nir_chain(4, 3);
    outer.nodes[0].second = {"NIRGraph", {}, {}, std::make_shared<NirGraph>(graph)};
    graph = outer;
  }
  EXPECT_NE(message_of<UsageError>([&] { check_nir(graph); }).find("nested more than"), std::string::npos);
  graph = nir_chain(3, 3);
  graph.edges.pop_back();
  std::string before = "lif";
  for (int i = 0; i < 20000; ++i) {
    const std::string name = "n" + std::to_string(i);
    graph.nodes.emplace_back(name, nir_node("Scale", {{"scale", each(3, 1)}}));
    graph.edges.emplace_back(before, name);
    before = name;
  }
  graph.edges.emplace_back(before, "output");
  check_nir(graph);
}

/// Every level reads the one below twice, through graphs that only hand on.
TEST(NirGraph, GraphsThatOnlyHandOnDoNotMultiplyForEver) {
  NirGraph through;
  through.nodes = {{"input", nir_end("Input", {3})}, {"output", nir_end("Output", {3})}};
  through.edges = {{"input", "output"}};
  const auto shared = std::make_shared<NirGraph>(through);
  NirGraph graph = nir_chain(4, 3);
  graph.edges.pop_back();
  std::vector<std::string> before = {"lif"};
  for (int level = 0; level < 40; ++level) {
    std::vector<std::string> now;
    for (const char* side : {"a", "b"}) {
      now.push_back(side + std::to_string(level));
      graph.nodes.emplace_back(now.back(), NirNode{"NIRGraph", {}, {}, shared});
      for (const std::string& source : before) graph.edges.emplace_back(source, now.back());
    }
    before = now;
  }
  graph.edges.emplace_back(before[0], "output");
  EXPECT_NE(message_of<UsageError>([&] { check_nir(graph); }).find("edges lead through it"),
            std::string::npos);
  // Few enough for each reader, and too many for all.
  graph.nodes.resize(4 + 2 * 16);
  graph.edges.resize(2 + 2 + 4 * 15);
  for (int i = 0; i < 200; ++i) {
    const std::string name = "r" + std::to_string(i);
    graph.nodes.emplace_back(name, nir_node("Threshold", {{"threshold", each(3, 1)}}));
    graph.edges.emplace_back("a15", name);
  }
  graph.edges.emplace_back("a15", "output");
  EXPECT_NE(message_of<UsageError>([&] { check_nir(graph); }).find("edges lead through it"),
            std::string::npos);
}

}  // namespace spiketrain::nir_graph_test
