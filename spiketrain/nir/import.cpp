#include "spiketrain/nir/import.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "spiketrain/base/check.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/nir/fields.h"
#include "spiketrain/nir/flat.h"
#include "spiketrain/nir/neurons.h"
#include "spiketrain/nir/time_step.h"

namespace spiketrain {
namespace nir {
namespace {

constexpr int64_t kMaxDelay = 1 << 20;  ///< steps

Tensor to_tensor(const std::vector<double>& values, const std::vector<int64_t>& shape) {
  const Tensor flat = torch::empty({static_cast<int64_t>(values.size())}, torch::kDouble);
  std::copy(values.begin(), values.end(), flat.data_ptr<double>());
  if (flat.numel() == 1) return flat.expand({c10::multiply_integers(shape)}).reshape(shape);
  return flat.view(shape);
}

/// Copies into the parameter or buffer of this name, of any type.
void set(torch::nn::Module& module, const std::string& name, const Tensor& values) {
  torch::NoGradGuard no_grad;
  const auto parameters = module.named_parameters(false), buffers = module.named_buffers(false);
  const Tensor* target = parameters.find(name);
  if (!target) target = buffers.find(name);
  ST_ASSERT(target != nullptr);
  Tensor(*target).copy_(values.reshape(target->sizes()));
}

/// What fills a part once the network has its type.
using Fill = std::function<void()>;

class Importer {
 public:
  Importer(const NirGraph& graph, const NirImportOptions& options)
      : flat_(flatten(graph)), options_(options), step_(time_step(graph, flat_, options.dt)) {
    check_options();
    notes_.push_back(str("dt ", step_.dt, " s: ", step_.reason));
    for (std::string& note : check_time_step(flat_, step_)) notes_.push_back(std::move(note));
    notes_.insert(notes_.end(), graph.unread.begin(), graph.unread.end());
    network_ = std::make_shared<Network>(flat_.nodes[flat_.input].out);
    network_->set_dt(step_.dt);
  }

  NirImport run() {
    find_readers();
    plan();
    for (const Planned& planned : plan_) named(planned.flat, [&] { add(planned); });
    network_->to(options_.type);
    for (const Fill& fill : fills_) fill();
    return {network_, step_.dt, std::move(notes_)};
  }

 private:
  struct Planned {
    size_t flat;        ///< the node it stands for
    bool join = false;  ///< the sum of what that node reads, not the node
  };
  /// What a network's node reads: one of flat_.nodes, and through which weights.
  struct Read {
    size_t node;
    bool delayed = false;
    int64_t weight = -1;  ///< node of the weights, -1: none
  };

  /// Each option one of its values; a note for each that no node has a use for.
  void check_options() {
    const auto check = [&](const char* name, const std::string& given, const std::vector<std::string>& values,
                           bool (*applies)(const std::string& type)) {
      if (given.empty()) return;
      ST_CHECK(values.empty() || std::find(values.begin(), values.end(), given) != values.end(), name,
               ": expected ", join(values, " or "), ", got '", given, "'");
      const bool used = std::any_of(flat_.nodes.begin(), flat_.nodes.end(),
                                    [&](const FlatNode& node) { return applies(node.node->type); });
      if (!used) notes_.push_back(str("option ", name, ": no node of this graph has a use for it"));
    };
    const auto resets = [](const std::string& t) { return spikes(t) && t != "Threshold"; };
    const auto is_cuba = [](const std::string& t) { return t == "CubaLI" || t == "CubaLIF"; };
    check("reset", options_.reset, {"zero", "subtract", "none"}, resets);
    check("reset_delay", options_.reset_delay, {"true", "false"}, resets);
    check("threshold", options_.threshold, {"strict", "at"}, spikes);
    check("order", options_.order, {"new", "old"}, is_cuba);
    check("start", options_.start, {"zero", "rest"}, has_rest);
    check("surrogate", options_.surrogate, {}, spikes);
    Config lif = {{"name", "lif"}, {"surrogate_scale", options_.surrogate_scale}};
    if (!options_.surrogate.empty()) lif["surrogate"] = options_.surrogate;
    make<Neuron>(lif);
    if (options_.surrogate_scale != 0) check("surrogate_scale", "given", {}, spikes);
  }

  /// Errors of parts, with the node.
  template <class F>
  void named(size_t i, F&& f) const {
    try {
      f();
    } catch (const UsageError& error) {
      const std::string what = error.what();
      throw UsageError(what.rfind("node '", 0) == 0 ? what : flat_.text(i) + ": " + what);
    }
  }

  const NirNode& node(size_t i) const { return *flat_.nodes[i].node; }
  const std::string& type(size_t i) const { return node(i).type; }

  void find_readers() {
    readers_.resize(flat_.nodes.size());
    for (size_t i = 0; i < flat_.nodes.size(); ++i)
      for (const Source& source : flat_.nodes[i].sources)
        readers_[source.node].push_back({i, source.delayed});
    for (size_t i = 0; i < flat_.nodes.size(); ++i) {
      folded_.push_back(joins_neuron(i));
      passed_.push_back(is_order_alone(i));
    }
  }

  /// Whether no convolution's or layer's bias is there; zeros of a convolution count as none.
  bool has_bias(size_t i) const {
    const auto bias = node(i).fields.arrays.find("bias");
    if (bias == node(i).fields.arrays.end()) return false;
    const auto& values = bias->second.values;
    return type(i) == "Affine" || std::any_of(values.begin(), values.end(), [](double b) { return b != 0; });
  }

  /// Whether a node of weights becomes a connection of the neuron that reads it.
  bool joins_neuron(size_t i) const {
    if (!has_weight(type(i)) || flat_.nodes[i].sources.size() != 1 || readers_[i].size() != 1) return false;
    const auto& [reader, delayed] = readers_[i][0];
    // What is late on its way to the neuron begins with zero, a bias included; what reads late begins with the bias.
    return is_neuron(type(reader)) && !(delayed && (has_bias(i) || flat_.nodes[i].sources[0].delayed));
  }

  /// A Flatten that only fully connected weights read: they read maps in the same order.
  bool is_order_alone(size_t i) const {
    if (type(i) != "Flatten" || flat_.nodes[i].sources.size() != 1 || flat_.nodes[i].sources[0].delayed)
      return false;
    if (flat_.nodes[i].out.size() != 1) return false;
    return std::all_of(readers_[i].begin(), readers_[i].end(), [&](const auto& reader) {
      const bool linear = type(reader.first) == "Linear" || type(reader.first) == "Affine";
      return linear && flat_.nodes[reader.first].sources.size() == 1;
    });
  }

  /// What a node reads, weights that join it and flattening left out.
  std::vector<Read> reads(size_t i) const {
    std::vector<Read> list;
    for (const Source& source : flat_.nodes[i].sources) {
      Read read = {source.node, source.delayed};
      if (folded_[source.node]) {
        const Source& before = flat_.nodes[source.node].sources[0];
        read = {before.node, source.delayed || before.delayed, static_cast<int64_t>(source.node)};
      }
      while (passed_[read.node]) read.node = flat_.nodes[read.node].sources[0].node;
      list.push_back(read);
    }
    return list;
  }

  void plan() {
    const int64_t none = -2;
    places_.assign(flat_.nodes.size(), none);
    places_[flat_.input] = Network::kInput;
    for (size_t i = 0; i < flat_.nodes.size(); ++i) {
      if (i == flat_.input || i == flat_.output || folded_[i] || passed_[i]) continue;
      if (!is_neuron(type(i)) && flat_.nodes[i].sources.size() > 1) plan_.push_back({i, /*join=*/true});
      places_[i] = static_cast<int64_t>(plan_.size());
      plan_.push_back({i});
    }
    // The network ends in what the output reads.
    const std::vector<Read> last = reads(flat_.output);
    const auto end = static_cast<int64_t>(plan_.size()) - 1;
    if (last.size() != 1 || last[0].delayed || places_[last[0].node] != end || end < 0)
      plan_.push_back({flat_.output, /*join=*/true});
  }

  Network::Input input(const Read& read) const {
    ST_ASSERT(places_[read.node] >= Network::kInput);
    return {places_[read.node], read.delayed ? 1 : 0, read.delayed ? flat_.nodes[read.node].out : Shape()};
  }

  std::string name_of(const Planned& planned) {
    std::string name =
        flat_.nodes[planned.flat].name + (planned.join && planned.flat != flat_.output ? "_sum" : "");
    std::replace(name.begin(), name.end(), '.', '_');
    if (name.empty()) name = "_";
    while (!names_.insert(name).second) name += "_";
    return name;
  }

  void add(const Planned& planned) {
    const size_t i = planned.flat;
    const std::string name = name_of(planned);
    std::vector<Read> list = reads(i);
    if (planned.join) return add_stage(make<Stage>("sum"), list, name);
    if (is_neuron(type(i))) return add_neuron(i, std::move(list), name);
    if (list.size() > 1) {  // they have been added up in the node before
      return add_single(i, {{static_cast<int64_t>(network_->nodes().size()) - 1}}, name);
    }
    add_single(i, {input(list.at(0))}, name);
  }

  void add_stage(std::shared_ptr<Stage> stage, const std::vector<Read>& list, const std::string& name) {
    std::vector<Network::Input> inputs;
    for (const Read& read : list) inputs.push_back(input(read));
    network_->add(std::move(stage), std::move(inputs), /*new_unit=*/network_->nodes().empty(), name);
  }

  /// A node that reads one signal and is no neuron.
  void add_single(size_t i, std::vector<Network::Input> inputs, const std::string& name) {
    if (!has_weight(type(i))) {
      network_->add(stage(i), std::move(inputs), /*new_unit=*/network_->nodes().empty(), name);
      return;
    }
    std::vector<Connection> connections = {{synapse(i)}};
    const Config hands_on = {{"name", "leaky_readout"}, {"leak", 0}};
    network_->add(std::make_shared<Layer>(std::move(connections), make<Neuron>(hands_on)), std::move(inputs),
                  /*new_unit=*/true, name);
  }

  void add_neuron(size_t i, std::vector<Read> list, const std::string& name) {
    // The first connection gives the layer its shape: one with weights if there is one, and never the layer itself.
    const auto first = [&](const auto& good) {
      return std::find_if(list.begin(), list.end(),
                          [&](const Read& read) { return read.node != i && good(read); });
    };
    auto begin = first([](const Read& read) { return read.weight >= 0; });
    if (begin == list.end()) begin = first([](const Read&) { return true; });
    ST_CHECK(begin != list.end(), flat_.text(i), ": reads nothing but itself");
    std::rotate(list.begin(), begin, begin + 1);
    std::vector<Connection> connections;
    std::vector<Network::Input> inputs;
    for (const Read& read : list) {
      Connection connection;
      if (read.weight >= 0) {
        connection.synapse = synapse(static_cast<size_t>(read.weight));
      } else if (connections.empty()) {
        connection.synapse = make<Synapse>("one_to_one", {{"weights", "ones"}});
      }
      connections.push_back(std::move(connection));
      inputs.push_back(input(read));
      if (read.node == i) inputs.back().shape.clear();  // its own
    }
    const NeuronPlan plan = plan_neuron(flat_, i, step_.dt, options_, notes_);
    const std::shared_ptr<Neuron> neuron = make<Neuron>(plan.config);
    for (const auto& [coefficient, values] : plan.coefficients) {
      fills_.push_back([this, i, neuron, name = coefficient, values = to_tensor(values, flat_.nodes[i].out)] {
        named(i, [&] { set_coefficient(*neuron, name, values); });
      });
    }
    network_->add(std::make_shared<Layer>(std::move(connections), neuron), std::move(inputs),
                  /*new_unit=*/true, name);
  }

  std::vector<int64_t> numbers(size_t i, const char* field, size_t count) const {
    return sides(node(i).fields.arrays.at(field), count, flat_.text(i) + ": " + field);
  }

  std::shared_ptr<Synapse> synapse(size_t i) {
    const auto& fields = node(i).fields.arrays;
    const bool scale = type(i) == "Scale";
    const NirArray& weight = fields.at(scale ? "scale" : "weight");
    const bool bias = has_bias(i);
    std::shared_ptr<Synapse> made;
    named(i, [&] {
      made = scale ? make<Synapse>("one_to_one")
             : type(i).rfind("Conv", 0) == 0
                 ? make<Synapse>(convolution(i, weight, bias))
                 : make<Synapse>("linear", {{"features", weight.shape[0]}, {"bias", bias}});
    });
    const Tensor values = to_tensor(weight.values, scale ? flat_.nodes[i].out : weight.shape);
    fills_.push_back([made, values] { set(*made, "weight", values); });
    if (bias)
      fills_.push_back([made, values = to_tensor(fields.at("bias").values, fields.at("bias").shape)] {
        set(*made, "bias", values);
      });
    return made;
  }

  /// conv2d where it can say it, else conv.
  Config convolution(size_t i, const NirArray& weight, bool bias) const {
    const size_t dims = weight.shape.size() - 2;
    const Shape kernel(weight.shape.begin() + 2, weight.shape.end());
    const Shape stride = numbers(i, "stride", dims), dilation = numbers(i, "dilation", dims);
    const int64_t groups = numbers(i, "groups", 1)[0];
    const Padding padding = padding_of(node(i), kernel, stride, dilation, flat_.text(i));
    const auto square = [&](const Shape& list) { return list[0] == list[1]; };
    const bool plain = dims == 2 && square(kernel) && square(stride) && square(padding.before) &&
                       padding.before == padding.after && groups == 1 && dilation == Shape{1, 1} &&
                       kernel[0] <= 63 && stride[0] <= 63 && padding.before[0] <= 63;
    if (plain)
      return {{"name", "conv2d"},    {"channels", weight.shape[0]},  {"kernel", kernel[0]},
              {"stride", stride[0]}, {"padding", padding.before[0]}, {"bias", bias}};
    return {{"name", "conv"},
            {"channels", weight.shape[0]},
            {"kernel", kernel},
            {"stride", stride},
            {"padding", padding.before},
            {"padding_end", padding.after},
            {"dilation", dilation},
            {"groups", groups},
            {"bias", bias}};
  }

  std::shared_ptr<Stage> stage(size_t i) {
    if (type(i) == "Flatten")
      return make<Stage>("flatten",
                         {{"first", numbers(i, "start_dim", 1)[0]}, {"last", numbers(i, "end_dim", 1)[0]}});
    if (type(i) == "Delay") return delay(i);
    ST_ASSERT(type(i) == "SumPool2d" || type(i) == "AvgPool2d");
    const std::string kind = type(i) == "SumPool2d" ? "sum" : "avg";
    const Shape window = numbers(i, "kernel_size", 2), stride = numbers(i, "stride", 2),
                padding = numbers(i, "padding", 2);
    if (window[0] == window[1] && window == stride && padding == Shape{0, 0} && window[0] <= 63)
      return make<Stage>("pool", {{"kind", kind}, {"window", window[0]}});
    return make<Stage>("pool_windows",
                       {{"kind", kind}, {"window", window}, {"stride", stride}, {"padding", padding}});
  }

  std::shared_ptr<Stage> delay(size_t i) {
    std::vector<double> steps = node(i).fields.arrays.at("delay").values;
    double longest = 0;
    for (double& seconds : steps) {
      const double exact = seconds / step_.dt;
      seconds = std::nearbyint(exact);  // half to even
      ST_CHECK(seconds <= kMaxDelay, flat_.text(i), ": a delay of ", seconds, " steps; expected at most ",
               kMaxDelay);
      if (std::fabs(exact - seconds) > 1e-3 && rounded_.insert(i).second)
        notes_.push_back(
            str(flat_.text(i), ": delays are rounded to integer steps, ", exact, " to ", seconds));
      longest = std::max(longest, seconds);
    }
    auto made = make<Stage>("delay", {{"longest", static_cast<int64_t>(longest)}});
    fills_.push_back([made, values = to_tensor(steps, flat_.nodes[i].out)] { set(*made, "steps", values); });
    return made;
  }

  Flat flat_;
  NirImportOptions options_;
  TimeStep step_;
  std::vector<std::string> notes_;
  std::shared_ptr<Network> network_;
  std::vector<std::vector<std::pair<size_t, bool>>> readers_;  ///< [node] who reads it, and whether late
  std::vector<bool> folded_, passed_;                          ///< [node]
  std::vector<Planned> plan_;
  std::vector<int64_t> places_;  ///< [node] in the network
  std::set<std::string> names_;
  std::set<size_t> rounded_;
  std::vector<Fill> fills_;
};

}  // namespace
}  // namespace nir

NirImport network_from_nir(const NirGraph& graph, const NirImportOptions& options) {
  return nir::Importer(graph, options).run();
}

}  // namespace spiketrain
