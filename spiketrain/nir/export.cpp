#include "spiketrain/nir/export.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/nir/export_neuron.h"
#include "spiketrain/nir/export_weights.h"
#include "spiketrain/nir/fields.h"
#include "spiketrain/nir/flat.h"
#include "spiketrain/version.h"

namespace spiketrain {
namespace nir {
namespace {

using Edge = std::pair<std::string, std::string>;

constexpr double kDefaultStep = 1e-4;  ///< seconds, as in nir/time_step.cpp

/// What a node of the network gives: the sum of what these nodes of the graph give, times a factor that is still to be applied.
struct Value {
  std::vector<std::string> sources;
  double factor = 1;
  Shape shape;
};

class Exporter {
 public:
  Exporter(const Network& network, const NirExportOptions& options) : network_(network), options_(options) {
    ST_CHECK(std::isfinite(options.dt) && options.dt >= 0, "export nir: dt: expected seconds above 0, got ",
             options.dt);
    if (options_.dt == 0) options_.dt = network.dt() > 0 ? network.dt() : kDefaultStep;
  }

  NirExport run() {
    graph_.version = "1.0.7";
    add("input", "Input", {{"shape", NirArray::integers(network_.input_shape())}});
    input_ = {{"input"}, 1, network_.input_shape()};
    names_.insert("output");
    // Before the stages: those of a rule, such as filters, come of the neuron.
    for (const Network::Node& node : network_.nodes())
      if (const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage); layer && node.head_of < 0)
        check_neuron(*layer->neuron(), node.name);
    size_t last = 0;
    for (size_t n = 0; n < network_.nodes().size(); ++n) {
      if (network_.nodes()[n].head_of >= 0) {
        remarks_["local heads are left out: only training reads them"].push_back(network_.nodes()[n].name);
        values_.emplace_back();
        continue;
      }
      last = n;
      values_.push_back(export_node(n));
    }
    const Value end = finished(values_.at(last), "output");
    graph_.nodes.emplace_back("output",
                              NirNode{"Output", {{{"shape", NirArray::integers(end.shape)}}, {}}, {}, {}});
    connect(end, "output");
    close_cycles();
    graph_.metadata.arrays["dt"] = NirArray::number(options_.dt);
    graph_.metadata.texts["writer"] = "spiketrain " ST_VERSION;
    std::sort(graph_.nodes.begin(), graph_.nodes.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    check_nir(graph_);
    return {std::move(graph_), notes()};
  }

 private:
  using Arrays = std::map<std::string, NirArray>;

  /// A node of the graph; its name is made one of its own.
  std::string add(std::string name, const std::string& type, Arrays fields) {
    std::replace(name.begin(), name.end(), '/', '.');
    while (!names_.insert(name).second) name += "_";
    graph_.nodes.emplace_back(name, NirNode{type, {std::move(fields), {}}, {}, {}});
    return name;
  }
  void edge(const std::string& from, const std::string& to) {
    // NIR takes two edges between the same nodes for one.
    ST_CHECK(std::find(graph_.edges.begin(), graph_.edges.end(), Edge(from, to)) == graph_.edges.end(),
             "node '", to, "': reads '", from, "' twice; NIR has one edge between two nodes");
    graph_.edges.emplace_back(from, to);
  }
  void connect(const Value& value, const std::string& to) {
    for (const std::string& source : value.sources) edge(source, to);
  }

  /// The same with its factor applied by a node Scale.
  Value finished(const Value& value, const std::string& reader) {
    if (value.factor == 1) return value;
    NirArray scale{NirArray::Type::f32, value.shape, {}};
    scale.values.assign(static_cast<size_t>(numel(value.shape)),
                        static_cast<double>(static_cast<float>(value.factor)));
    const std::string name = add(reader + "_scale", "Scale", {{"scale", std::move(scale)}});
    connect(value, name);
    return {{name}, 1, value.shape};
  }
  /// The same as a vector.
  Value flattened(const Value& value, const std::string& reader) {
    if (value.shape.size() == 1) return value;
    const std::string name = add(reader + "_flatten", "Flatten",
                                 {{"start_dim", NirArray::integer(0)},
                                  {"end_dim", NirArray::integer(-1)},
                                  {"input_type", NirArray::integers(value.shape)}});
    connect(value, name);
    return {{name}, value.factor, {numel(value.shape)}};
  }

  const Value& value_of(const Network::Input& input) const {
    return input.node == Network::kInput ? input_ : values_.at(static_cast<size_t>(input.node));
  }

  Value export_node(size_t n) {
    const Network::Node& node = network_.nodes()[n];
    if (const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage)) return export_layer(n, *layer);
    const std::string kind = node.stage->part_name();
    for (const Network::Input& input : node.inputs)
      ST_CHECK(input.delay == 0, "node '", node.name, "': stage ", kind,
               " reads a step late; NIR export knows that of layers only");
    if (kind == "sum") return sum(node);
    const Value& in = value_of(node.inputs.at(0));
    const Config config = node.stage->config();
    if (kind == "dropout") {
      remarks_["dropout is left out: it is idle once trained"].push_back(node.name);
      return in;
    }
    if (kind == "scale") return {in.sources, in.factor * config["factor"].get<double>(), in.shape};
    if (kind == "pool" || kind == "pool_windows" || kind == "global_average")
      return pool(n, kind, config, in);
    if (kind == "flatten") {
      const std::string name = add(node.name, "Flatten",
                                   {{"start_dim", NirArray::integer(config["first"])},
                                    {"end_dim", NirArray::integer(config["last"])},
                                    {"input_type", NirArray::integers(in.shape)}});
      connect(in, name);
      return {{name}, in.factor, node.out};
    }
    if (kind == "fire") return fire(n, config);
    if (kind == "delay") return delay(n, in);
    throw UsageError(str("node '", node.name, "': stage ", kind, ": NIR has no such node"));
  }

  Value sum(const Network::Node& node) {
    Value result{{}, value_of(node.inputs.at(0)).factor, node.out};
    const bool same = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Network::Input& input) {
      return value_of(input).factor == result.factor;
    });
    if (!same) result.factor = 1;
    for (const Network::Input& input : node.inputs) {
      const Value value = same ? value_of(input) : finished(value_of(input), node.name);
      result.sources.insert(result.sources.end(), value.sources.begin(), value.sources.end());
    }
    return result;
  }

  /// A sum over windows; the share of an average is left to the weights that follow.
  Value pool(size_t n, const std::string& kind, const Config& config, const Value& in) {
    const Network::Node& node = network_.nodes()[n];
    Shape window = {in.shape[1], in.shape[2]}, padding = {0, 0};
    if (kind == "pool") window = Shape(2, config["window"].get<int64_t>());
    if (kind == "pool_windows") window = config["window"].get<Shape>();
    Shape stride = window;
    if (kind == "pool_windows") {
      stride = config["stride"].get<Shape>();
      padding = config["padding"].get<Shape>();
    }
    const std::string how = kind == "global_average" ? "avg" : config["kind"].get<std::string>();
    ST_CHECK(how != "max", "node '", node.name,
             "': maximum pooling: NIR has none; use average or sum pooling");
    const bool weights_follow = factor_can_go_on(n);
    const bool sums = how == "sum" || weights_follow;
    const std::string name = add(node.name, sums ? "SumPool2d" : "AvgPool2d",
                                 {{"kernel_size", NirArray::integers(window)},
                                  {"stride", NirArray::integers(stride)},
                                  {"padding", NirArray::integers(padding)}});
    connect(in, name);
    Value value{{name}, in.factor, node.out};
    if (how == "sum" && config.contains("scale")) value.factor *= config["scale"].get<double>();
    if (how == "avg" && sums) value.factor /= static_cast<double>(window[0] * window[1]);
    if (kind != "global_average") return value;
    value.shape = {in.shape[0], 1, 1};
    return flattened(value, node.name);
  }

  /// Whether all that read a node, dropout and flattening between them, are weights.
  bool factor_can_go_on(size_t n) const {
    bool read = false;
    for (size_t m = n + 1; m < network_.nodes().size(); ++m) {
      const Network::Node& node = network_.nodes()[m];
      if (node.head_of >= 0) continue;
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        if (node.inputs[k].node != static_cast<int64_t>(n)) continue;
        read = true;
        const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
        const std::string kind = layer ? "" : node.stage->part_name();
        const bool passes = kind == "dropout" || kind == "flatten" || kind == "scale" || kind == "pool";
        if (!layer && !(passes && factor_can_go_on(m))) return false;
        if (layer && (node.inputs[k].delay != 0 || !has_weights(layer->connections()[k]))) return false;
      }
    }
    return read;
  }

  Value fire(size_t n, const Config& config) {
    const Network::Node& node = network_.nodes()[n];
    const Value in = finished(value_of(node.inputs.at(0)), node.name);
    NirArray threshold{NirArray::Type::f32, node.out, {}};
    threshold.values.assign(static_cast<size_t>(numel(node.out)), config["threshold"].get<double>());
    const std::string name = add(node.name, "Threshold", {{"threshold", std::move(threshold)}});
    connect(in, name);
    return {{name}, 1, node.out};
  }

  Value delay(size_t n, const Value& in) {
    const Network::Node& node = network_.nodes()[n];
    NirArray seconds = array_of(node.stage->named_buffers(false)["steps"], NirArray::Type::f64);
    for (double& steps : seconds.values) steps *= options_.dt;
    const std::string name = add(node.name, "Delay", {{"delay", std::move(seconds)}});
    connect(in, name);
    return {{name}, in.factor, node.out};
  }

  /// A connection that reads a step late, for close_cycles(): the edges from what it reads to the neuron, of which one closes a cycle.
  struct Late {
    std::string reader;           ///< in messages
    int64_t node = 0;             ///< of the network, that it reads
    std::string weights, neuron;  ///< nodes of the graph; empty: none
    bool flatten = false, bias = false;
  };

  Value export_layer(size_t n, const Layer& layer) {
    const Network::Node& node = network_.nodes()[n];
    const auto& connections = layer.connections();
    const NeuronExport neuron(*layer.neuron(), node.out, node.name, options_);
    const bool plain =
        std::all_of(neuron.gains().begin(), neuron.gains().end(), [](double x) { return x == 1; });
    const bool weighs = std::all_of(connections.begin(), connections.end(), [&](const Connection& c) {
      return has_weights(c) && takes_gains(c, neuron.gains(), node.out);
    });
    const bool folded = !neuron.hands_on() && (plain || (options_.fold && weighs));
    std::string name;
    if (!neuron.hands_on()) {
      name = add(node.name, "", {});
      graph_.nodes.back().second = neuron.node(folded, remarks_);
    }
    Value out{name.empty() ? std::vector<std::string>() : std::vector<std::string>{name}, 1, node.out};
    for (size_t k = 0; k < connections.size(); ++k) {
      const Connection& c = connections[k];
      const bool late = node.inputs[k].delay != 0;
      Weights weights(c, str("node '", node.name, "', connection ", k));
      const Value in = late ? Value() : value_of(node.inputs[k]);
      if (!has_weights(c)) {
        if (late) {
          ST_CHECK(!name.empty(), "node '", node.name, "': reads a step late, without weights or a neuron");
          late_.push_back({node.name, node.inputs[k].node, "", name});
          continue;
        }
        const Value whole = finished(in, node.name);
        if (name.empty()) out.sources.insert(out.sources.end(), whole.sources.begin(), whole.sources.end());
        if (!name.empty()) connect(whole, name);
        continue;
      }
      if (folded && !plain) weights.multiply_outputs(neuron.gains());
      if (!late) weights.multiply_inputs(in.factor);
      const Shape from = late ? late_shape(n, node.inputs[k]) : in.shape;
      NirNode made = weights.node(from);
      // The name of the node itself where no neuron has it, so that it comes back as it was.
      const std::string own =
          add(name.empty() && k == 0 ? node.name : node.name + (k == 0 ? ".w" : str(".w", k)), "", {});
      graph_.nodes.back().second = std::move(made);
      if (late) {
        late_.push_back(
            {node.name, node.inputs[k].node, own, name, weights.fully_connected(), weights.has_bias()});
      } else {
        const Value read = weights.fully_connected() ? flattened({in.sources, 1, in.shape}, own) : in;
        for (const std::string& source : read.sources) edge(source, own);
      }
      if (name.empty()) out.sources.push_back(own);
      if (!name.empty()) edge(own, name);
    }
    return out;
  }

  Shape late_shape(size_t reader, const Network::Input& input) const {
    return input.node == static_cast<int64_t>(reader) ? network_.nodes()[reader].out
                                                      : network_.nodes()[static_cast<size_t>(input.node)].out;
  }

  /// Adds the edges that carry the step before, and makes sure that they, and no others, close cycles.
  void close_cycles() {
    std::vector<std::pair<Late, std::vector<std::vector<Edge>>>> paths;
    for (const Late& late : late_) {
      Value value = finished(values_.at(static_cast<size_t>(late.node)), late.reader);
      if (late.flatten) value = flattened(value, late.weights);
      const std::string to = late.weights.empty() ? late.neuron : late.weights;
      std::vector<std::vector<Edge>> each;
      for (const std::string& source : value.sources) {
        edge(source, to);
        each.push_back({{source, to}});
        if (!late.weights.empty() && !late.neuron.empty())
          each.back().emplace_back(late.weights, late.neuron);
      }
      paths.emplace_back(late, std::move(each));
    }
    std::vector<Edge> closing = closing_edges(graph_), wanted;
    const auto closes = [&](const Edge& e) {
      return std::find(closing.begin(), closing.end(), e) != closing.end();
    };
    for (const auto& [late, each] : paths) {
      for (const auto& path : each) {
        const auto count = std::count_if(path.begin(), path.end(), closes);
        ST_CHECK(count == 1, "node '", late.reader, "': reads node '",
                 network_.nodes()[static_cast<size_t>(late.node)].name,
                 "' a step late, which NIR says only of an edge that closes a cycle");
        ST_CHECK(!late.bias || path.size() == 1 || !closes(path[1]), "node '", late.reader,
                 "': its recurrent connection has a bias, which in NIR would act a step late; leave it out");
        for (const Edge& e : path)
          if (closes(e)) wanted.push_back(e);
      }
    }
    for (const Edge& e : closing)
      ST_CHECK(std::find(wanted.begin(), wanted.end(), e) != wanted.end(), "node '", e.second,
               "': the edge from '", e.first, "' would carry the step before in NIR");
  }

  std::vector<std::string> notes() const {
    std::vector<std::string> list = {
        str("dt ", options_.dt, " s, in the metadata: NIR has no field for it, and programs take their own")};
    for (const auto& [what, nodes] : remarks_)
      list.push_back(what + ", in " + (nodes.size() == 1 ? "node " : "nodes ") + join(nodes));
    return list;
  }

  const Network& network_;
  NirExportOptions options_;
  NirGraph graph_;
  std::set<std::string> names_;
  Value input_;
  std::vector<Value> values_;  ///< [node]
  std::vector<Late> late_;
  Remarks remarks_;
};

}  // namespace
}  // namespace nir

NirExport to_nir(const Network& network, const NirExportOptions& options) {
  torch::NoGradGuard no_grad;
  return nir::Exporter(network, options).run();
}

}  // namespace spiketrain
