// A network's nodes, one after the other, to the layers of a Model.
#include "spiketrain/deploy/read_network.h"

#include <algorithm>
#include <utility>

#include "spiketrain/core/layer.h"
#include "spiketrain/recipe/folded_norm.h"

namespace spiketrain::deploy {
namespace {

/// Shape of maps; of a vector [N,1,1].
Map as_map(const Shape& shape) {
  return shape.size() == 3 ? Map{shape[0], shape[1], shape[2]} : Map{numel(shape), 1, 1};
}

/// What stands between a layer and the one before, all of it linear.
struct Between {
  int64_t window = 1;
  double factor = 1, tau = 0;  ///< tau > 0: a PSP
};

/// y = factor x + shift, per channel.
struct Affine {
  std::vector<double> factor, shift;
};

/// One number per channel.  UsageError unless neurons of a channel share theirs.
std::vector<double> per_channel(const Coefficients& x, const Map& out, const std::string& place) {
  const auto channels = static_cast<size_t>(out.channels);
  if (x.size() == 1) return std::vector<double>(channels, x[0]);
  if (x.size() == channels) return x;
  const size_t area = x.size() / channels;
  std::vector<double> result(channels);
  for (size_t c = 0; c < channels; ++c) {
    result[c] = x[c * area];
    const auto first = x.begin() + static_cast<int64_t>(c * area);
    ST_CHECK(std::count(first, first + static_cast<int64_t>(area), result[c]) == static_cast<int64_t>(area),
             place,
             "neurons of one map have gains of their own (per = \"neuron\"); train with per = \"channel\" or "
             "\"layer\"");
  }
  return result;
}

/// A norm with its running statistics.
Affine read_norm(const Norm& norm, const std::string& place) {
  ST_CHECK(folds(norm), place, "norm ", norm.part_name(),
           " cannot be folded into weights; train with network.norm = \"bn\", \"tdbn\" or without one");
  const FoldedNorm y = folded(norm);
  return {numbers(y.gain), numbers(y.shift)};
}

class Reader {
 public:
  explicit Reader(const Network& network) : network_(network) {}

  Model read() {
    model_.notation = network_.notation();
    model_.input = below_ = as_map(network_.input_shape());
    int64_t last = Network::kInput;
    const auto& nodes = network_.nodes();
    for (size_t n = 0; n < nodes.size(); ++n) {
      if (nodes[n].head_of >= 0) continue;
      node_ = &nodes[n];
      check_chain(static_cast<int64_t>(n), last);
      append();
      last = static_cast<int64_t>(n);
    }
    ST_CHECK(!model_.layers.empty(), "export: network ", model_.notation, " has no layer");
    ST_CHECK(!pending_, place(), "it comes after the last layer; expected a network that ends in a layer");
    check_hidden();
    return std::move(model_);
  }

 private:
  std::string place() const {
    const std::string token = node_->stage->notation();
    return str("export: node ", node_->name, token.empty() ? "" : " (" + token + ")", ": ");
  }

  void check_chain(int64_t n, int64_t last) const {
    const auto& inputs = node_->inputs;
    ST_CHECK(inputs[0].node == last && inputs[0].delay == 0, place(),
             "it reads another node than the one before; train a chain of layers, without residual units");
    for (size_t k = 1; k < inputs.size(); ++k) {
      ST_CHECK(inputs[k].node == n && inputs[k].delay == 1, place(),
               "it has a second input, as residual units have; train a chain of layers, without SEW and RB");
    }
  }

  /// Layers below the last send spikes; their PSP is made by the layer above.
  void check_hidden() {
    for (size_t k = 0; k + 1 < model_.layers.size(); ++k) {
      Layer& layer = model_.layers[k];
      ST_CHECK(layer.spiking, "export: node ", layer.name, " (", layer.notation,
               "): it sends real numbers; expected spikes of every layer but the last");
      layer.output_tau = 0;
    }
  }

  void append() {
    if (const auto* layer = dynamic_cast<const spiketrain::Layer*>(node_->stage.get())) {
      append_layer(*layer);
      pending_ = false;
      return;
    }
    const Config config = node_->stage->config();
    const std::string name = config["name"];
    if (name == "dropout") return;
    pending_ = true;
    if (name == "pool") {
      pool(config["kind"], config["window"], config["scale"]);
    } else if (name == "global_average") {
      pool("avg", below_.height / between_.window, 1);
    } else if (name == "scale") {
      between_.factor *= config["factor"].get<double>();
    } else {
      ST_CHECK(
          name == "psp_filter", place(), "stage ", name,
          " cannot be exported; expected pool (sum or avg), global_average, scale, dropout or psp_filter");
      ST_CHECK(between_.tau == 0, place(), "it filters a PSP once more; expected one filter between layers");
      between_.tau = config["tau_s"];
    }
  }

  void pool(const std::string& kind, int64_t window, double scale) {
    ST_CHECK(kind != "max", place(),
             "maximum pooling cannot be exported; train with network.pool = \"avg\" or \"sum\"");
    between_.window *= window;
    between_.factor *= kind == "avg" ? 1.0 / static_cast<double>(window * window) : scale;
  }

  void append_layer(const spiketrain::Layer& from) {
    Layer layer;
    layer.name = node_->name;
    layer.notation = from.notation();
    layer.out = as_map(node_->out);
    const FoldedNeuron neuron = read_neuron(*from.neuron(), place(), layer);
    const std::vector<double> gain = per_channel(neuron.gain, layer.out, place());
    std::vector<double> shift(gain.size(), 0);
    const auto index = static_cast<int64_t>(model_.layers.size());
    for (size_t k = 0; k < from.connections().size(); ++k) {
      const Between before = k == 0 ? between_ : Between{1, 1, neuron.output_tau};
      ST_CHECK(before.tau == between_.tau, place(),
               "its two inputs are filtered with different time constants; expected the same");
      Product product;
      product.source = k == 0 ? index - 1 : index;
      product.in = k == 0 ? below_ : layer.out;
      product.window = before.window;
      append_product(from.connections()[k], before, gain, product, shift);
      layer.products.push_back(std::move(product));
    }
    if (between_.tau > 0) layer.current_decay = 1 - 1 / between_.tau;
    layer.bias = bias(shift, neuron.rest, layer.out);
    layer.output_tau = neuron.output_tau;
    below_ = layer.out;
    between_ = {1, 1, neuron.output_tau};
    model_.layers.push_back(std::move(layer));
  }

  /// Reads a connection's weight with everything folded in, and adds what it adds to the bias.
  void append_product(const Connection& from, const Between& before, const std::vector<double>& gain,
                      Product& product, std::vector<double>& shift) const {
    ST_CHECK(from.synapse, place(),
             "it has an identity connection, as residual units have; expected synapses");
    const Config config = from.synapse->config();
    const std::string name = config["name"];
    ST_CHECK(name == "conv2d" || name == "linear", place(), "synapse ", name,
             " cannot be exported; expected conv2d or linear");
    product.conv = name == "conv2d";
    if (product.conv) {
      product.kernel = config["kernel"];
      product.stride = config["stride"];
      product.padding = config["padding"];
    }
    Affine norm{std::vector<double>(gain.size(), 1), std::vector<double>(gain.size(), 0)};
    if (from.norm) norm = read_norm(*from.norm, place());
    product.weight = numbers(from.weight(/*training=*/false));
    const double factor = before.factor / (before.tau > 0 ? before.tau : 1);
    const size_t per_feature = product.weight.size() / gain.size();
    for (size_t i = 0; i < product.weight.size(); ++i) {
      const size_t f = i / per_feature;
      product.weight[i] *= gain[f] * norm.factor[f] * factor;
    }
    const Tensor b = from.synapse->bias();
    const std::vector<double> own = b.defined() ? numbers(b) : std::vector<double>(gain.size(), 0);
    for (size_t f = 0; f < gain.size(); ++f) shift[f] += gain[f] * (norm.factor[f] * own[f] + norm.shift[f]);
  }

  /// Per channel, per neuron if the resting potential is; empty if all are zero.
  static Coefficients bias(const std::vector<double>& shift, const Coefficients& rest, const Map& out) {
    Coefficients sum = shift;
    if (rest.size() > shift.size()) {
      const auto area = static_cast<size_t>(out.height * out.width);
      sum.resize(rest.size());
      for (size_t i = 0; i < sum.size(); ++i) sum[i] = shift[i / area];
    }
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += rest[rest.size() == 1 ? 0 : i];
    const bool none = std::all_of(sum.begin(), sum.end(), [](double x) { return x == 0; });
    return none ? Coefficients() : sum;
  }

  const Network& network_;
  const Network::Node* node_ = nullptr;
  Model model_;
  Map below_;  ///< of the last layer, or the input
  Between between_;
  bool pending_ = false;  ///< stages since the last layer
};

}  // namespace

Model read_network(const Network& network) { return Reader(network).read(); }

}  // namespace spiketrain::deploy
