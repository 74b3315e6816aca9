#include "spiketrain/cost/neurobench.h"

#include <map>
#include <set>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/watch.h"
#include "spiketrain/engine/by_step.h"

namespace spiketrain {
namespace {

/// 1 where x is not zero.
Tensor ones_of(const Tensor& x) { return (x != 0).to(x.scalar_type()); }

/// Sum of W x for integers, which sums in another order may leave near them only.
double sum_of_products(const Synapse& synapse, const Tensor& x, const Tensor& W) {
  return synapse.apply(Signal::dense(x), W).round().sum(torch::kDouble).item<double>();
}

/// Shape of what connection k of a node reads.
const Shape& shape_read(const Network& network, const Network::Node& node, size_t k) {
  const int64_t source = node.inputs[k].node;
  return source == Network::kInput ? network.input_shape() : network.nodes()[static_cast<size_t>(source)].out;
}

/// The weights of a connection as they are deployed; of a synapse that spreads them over the taps of delays its own.
Tensor own_weights(const Connection& connection) {
  const Tensor W = connection.weight(false);
  const auto parameters = connection.synapse->named_parameters();
  const Tensor* own = parameters.find("weight");
  return own && own->numel() != W.numel() ? *own : W;
}

/// Of connection k of a layer, at one step of one sample; a weight with a delay is one product, however many taps there are.
double dense_operations(const Network& network, const Network::Node& node, const Layer& layer, size_t k) {
  std::vector<int64_t> sizes = {1, 1};
  const Shape& shape = shape_read(network, node, k);
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  const Connection& connection = layer.connections()[k];
  const Tensor W = connection.weight(false);
  const double copies = static_cast<double>(W.numel()) / static_cast<double>(own_weights(connection).numel());
  return sum_of_products(*connection.synapse, torch::ones(sizes, W.options()), torch::ones_like(W)) / copies;
}

/// Whether all weights are those of layers, whose products are counted.
bool only_layers_have_weights(const Network& network) {
  for (const Network::Node& node : network.nodes()) {
    if (node.head_of >= 0 || std::dynamic_pointer_cast<const Layer>(node.stage)) continue;
    for (const auto& item : node.stage->named_parameters()) {
      const std::string& name = item.key();
      const bool weight = name.size() >= 6 && name.compare(name.size() - 6, 6, "weight") == 0;
      if (weight && item.value().dim() > 1) return false;  // of one dimension: a norm's
    }
  }
  return true;
}

/// Neurons whose membrane a step changes.  Which of its states is the membrane a neuron does not say: it is the one that holds the
/// membrane before reset wherever there was no spike.  If none does, such as where a state keeps the membrane leaked already, it is
/// that before reset.
class MembraneUpdates {
 public:
  void add(const Record& record, const Tensor& valid) {
    if (!record.u.defined()) {
      unknown_ = true;
      return;
    }
    const Tensor u = record.u[0], fired = record.sent.defined() ? record.sent.bytes()[0] != 0
                                                                : torch::zeros_like(u, torch::kBool);
    if (steps_++ == 0) {
      first_ = u.numel();
      states_.resize(record.state.size());
      last_ = u;
      return;
    }
    for (size_t i = 0; i < states_.size(); ++i) {
      const Tensor &before = record.before[i], &after = record.state[i];
      const bool alike = after.sizes() == u.sizes();
      states_[i].is_membrane = states_[i].is_membrane && alike && ((after == u) | fired).all().item<bool>();
      if (alike) states_[i].changes += changes(after != before, valid);
    }
    changes_ += changes(u != last_, valid);
    last_ = u;
  }
  /// Over one batch; absent: not known.
  std::optional<double> total() const {
    if (unknown_) return {};
    for (const Candidate& state : states_)
      if (state.is_membrane) return static_cast<double>(first_) + state.changes;
    return static_cast<double>(first_) + changes_;
  }

 private:
  struct Candidate {
    bool is_membrane = true;
    double changes = 0;
  };
  static double changes(const Tensor& where, const Tensor& valid) {
    Tensor counted = where.flatten(1);
    if (valid.defined()) counted = counted & valid[0].unsqueeze(1);
    return counted.sum(torch::kDouble).item<double>();
  }

  std::vector<Candidate> states_;
  Tensor last_;
  double changes_ = 0;
  int64_t first_ = 0, steps_ = 0;
  bool unknown_ = false;
};

/// Counts over one batch.
class Counts : public Watch {
 public:
  explicit Counts(const Network& network) : network_(network) {}

  void saw(size_t index, const std::vector<Signal>& in, const Signal& out, const Context& context) override {
    const Network::Node& node = network_.nodes()[index];
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    const bool fires = layer || node.stage->describe().front().slot >= 0;
    if (fires) activations(out, context.valid);
    if (!layer) return;
    for (size_t k = 0; k < in.size(); ++k) {
      if (layer->connections()[k].synapse) products(index, *layer, k, in[k], context.valid);
    }
  }
  void fired(int64_t slot, const Record& record, const Context& context) override {
    membranes_[slot].add(record, context.valid);
  }

  double macs = 0, acs = 0, dense = 0, sent = 0, sites = 0;
  std::optional<double> membrane_updates() const {
    double sum = 0;
    for (const auto& item : membranes_) {
      const std::optional<double> total = item.second.total();
      if (!total) return {};
      sum += *total;
    }
    return sum;
  }

 private:
  static Tensor masked(const Tensor& x, const Tensor& valid) {
    if (!valid.defined()) return x;
    Tensor wide = valid;
    while (wide.dim() < x.dim()) wide = wide.unsqueeze(-1);
    return x * wide.to(x.scalar_type());
  }
  void activations(const Signal& out, const Tensor& valid) {
    const Tensor a = out.has_spikes() ? out.spikes().bytes() : out.values();
    sent += masked((a != 0).to(torch::kFloat), valid).sum(torch::kDouble).item<double>();
    const double each = static_cast<double>(a[0][0].numel());
    sites +=
        each * (valid.defined() ? valid.sum().item<double>() : static_cast<double>(a.size(0) * a.size(1)));
  }
  void products(size_t index, const Layer& layer, size_t k, const Signal& in, const Tensor& valid) {
    const Connection& c = layer.connections()[k];
    const Tensor W = c.weight(false), all = masked(in.values(), valid);
    const auto [found, added] = dense_.try_emplace({index, k}, 0);
    if (added) found->second = dense_operations(network_, network_.nodes()[index], layer, k);
    for (int64_t t = 0; t < all.size(0); ++t) {
      const Tensor x = all.slice(0, t, t + 1);
      const bool accumulates = ((x == 0) | (x.abs() == 1)).all().item<bool>();
      (accumulates ? acs : macs) += sum_of_products(*c.synapse, ones_of(x), ones_of(W));
      const double samples =
          valid.defined() ? valid[t].sum().item<double>() : static_cast<double>(all.size(1));
      dense += found->second * samples;
    }
  }

  const Network& network_;
  std::map<int64_t, MembraneUpdates> membranes_;       ///< by slot
  std::map<std::pair<size_t, size_t>, double> dense_;  ///< by node and connection
};

}  // namespace

NeuroBench neurobench(const Network& network, int64_t steps) {
  const torch::NoGradGuard no_grad;
  NeuroBench result;
  std::set<const void*> heads;
  for (const Network::Node& node : network.nodes()) {
    if (node.head_of < 0) continue;
    for (const Tensor& p : node.stage->parameters()) heads.insert(p.unsafeGetTensorImpl());
    for (const Tensor& b : node.stage->buffers()) heads.insert(b.unsafeGetTensorImpl());
  }
  const auto deployed = [&](const Tensor& x) { return heads.count(x.unsafeGetTensorImpl()) == 0; };
  for (const Tensor& p : network.parameters()) {
    if (!deployed(p)) continue;
    result.footprint += static_cast<int64_t>(p.nbytes());
    result.parameter_count += p.numel();
  }
  for (const Tensor& b : network.buffers())
    if (deployed(b)) result.footprint += static_cast<int64_t>(b.nbytes());
  if (!only_layers_have_weights(network)) return result;
  int64_t zeros = 0, weights = 0;
  double dense = 0;
  for (const Network::Node& node : network.nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (!layer || node.head_of >= 0) continue;
    for (size_t k = 0; k < layer->connections().size(); ++k) {
      if (!layer->connections()[k].synapse) continue;
      const Tensor W = own_weights(layer->connections()[k]);
      zeros += (W == 0).sum().item<int64_t>();
      weights += W.numel();
      dense += static_cast<double>(steps) * dense_operations(network, node, *layer, k);
    }
  }
  if (weights > 0) result.connection_sparsity = static_cast<double>(zeros) / static_cast<double>(weights);
  result.dense = dense;
  return result;
}

NeuroBench neurobench(const Learner& learner, const std::vector<Batch>& batches) {
  const torch::NoGradGuard no_grad;
  const Network& network = learner.network();
  ST_CHECK(runs_step_by_step(network), "neurobench: network ", network.notation(),
           " does not run step by step, as the definitions of activation sparsity and operations have it");
  NeuroBench result = neurobench(network, learner.parts().steps);
  NeuroBench::Activity sum;
  double updates = 0, dense = 0, macs = 0, acs = 0;
  bool known = true;
  for (const Batch& batch : batches) {
    const int64_t B = batch.size();
    Counts counts(network);
    infer_by_step(learner.parts(), batch);
    sum.samples += B;
    sum.activation_sparsity += static_cast<double>(B) * (1 - counts.sent / std::max(1.0, counts.sites));
    macs += counts.macs;
    acs += counts.acs;
    dense += counts.dense;
    const std::optional<double> changed = counts.membrane_updates();
    known = known && changed;
    updates += changed.value_or(0);
  }
  ST_CHECK(sum.samples > 0, "neurobench: expected at least one sample");
  const auto n = static_cast<double>(sum.samples);
  sum.activation_sparsity /= n;
  if (known) sum.membrane_updates = updates / n;
  if (result.dense) {
    result.dense = dense / n;
    sum.effective_macs = macs / n;
    sum.effective_acs = acs / n;
  }
  result.activity = sum;
  return result;
}

Config to_json(const NeuroBench& measured) {
  Config json = {{"footprint", measured.footprint}, {"parameter_count", measured.parameter_count}};
  if (measured.connection_sparsity) json["connection_sparsity"] = *measured.connection_sparsity;
  if (measured.dense) json["synaptic_operations"]["Dense"] = *measured.dense;
  if (!measured.activity) return json;
  const NeuroBench::Activity& activity = *measured.activity;
  json["samples"] = activity.samples;
  json["activation_sparsity"] = activity.activation_sparsity;
  if (activity.effective_macs) json["synaptic_operations"]["Effective_MACs"] = *activity.effective_macs;
  if (activity.effective_acs) json["synaptic_operations"]["Effective_ACs"] = *activity.effective_acs;
  if (activity.membrane_updates) json["membrane_updates"] = *activity.membrane_updates;
  return json;
}

}  // namespace spiketrain
