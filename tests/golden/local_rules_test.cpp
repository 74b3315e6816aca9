// Rules with local heads or a trace of each synapse against the records of golden/rules, and every further file of the same
// kind in the folder that SPIKETRAIN_GOLDEN names: ELL, BELL, FELL, STOLL, DECOLLE, diagonal RTRL, e-prop.
#include <cstdlib>
#include <map>

#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"

namespace spiketrain::local_rules_golden_test {

using Layers = std::vector<std::shared_ptr<Layer>>;

Connection connection(const Config& synapse) {
  Connection c;
  c.synapse = make<Synapse>(synapse);
  return c;
}
Connection dense(int64_t features, bool bias = false) {
  return connection({{"name", "linear"}, {"features", features}, {"bias", bias}});
}

std::shared_ptr<Layer> layer(Connection c, std::shared_ptr<Neuron> neuron) {
  return std::make_shared<Layer>(std::vector<Connection>{std::move(c)}, std::move(neuron));
}

/// The layer of number l from the shape of W{l}: dense, or a convolution that keeps the size of its map.
Connection recorded(const GoldenRecord& r, int64_t l) {
  const Tensor W = r.at(str("W", l));
  const bool bias = r.has(str("b", l));
  if (W.dim() == 2) return dense(W.size(0), bias);
  return connection({{"name", "conv2d"},
                     {"channels", W.size(0)},
                     {"kernel", W.size(2)},
                     {"padding", W.size(2) / 2},
                     {"bias", bias}});
}

GoldenCase start(const GoldenRecord& r, const Tensor& x, const char* objective) {
  GoldenCase c;
  c.batch.form = Batch::Form::frames;
  c.batch.x = x;
  if (r.has("labels")) c.batch.target = {Target::Kind::class_index, r.at("labels")};
  c.parts.network = std::make_shared<Network>(Shape(x.sizes().begin() + 2, x.sizes().end()));
  c.parts.objective = make<Objective>(objective);
  c.parts.steps = x.size(0);
  return c;
}

/// Takes the weights of a layer from the file, and lists those that learn: W{l} and b{l}, or other names.
void take(const GoldenRecord& r, GoldenCase& c, Layer& layer, const std::string& W, const std::string& b,
          const std::string& feedback = "") {
  for (const auto& item : layer.named_parameters()) {
    const std::string name = item.key() == "synapse.weight"    ? W
                             : item.key() == "synapse1.weight" ? "V" + W.substr(1)
                                                               : b;
    set_from(r, name, item.value());
    if (r.has("grad_" + name) || r.has("grad_" + name + "_t")) c.parameters.emplace_back(name, item.value());
  }
  for (const auto& item : layer.named_buffers()) {
    if (item.key() == "synapse.weight") set_from(r, W, item.value());
    if (item.key() == "feedback.feedback") set_from(r, feedback, item.value());
  }
}

/// Layers with a head each: `stages(l)` makes those of layer l, beginning with what its unit begins with.
struct Local {
  std::function<std::vector<std::shared_ptr<Stage>>(int64_t)> stages, head;
  std::function<void(Layer&, int64_t)> take_layer, take_head;
};

/// Every layer is a block, its head hangs on it; the last head is the output layer.
void stack(GoldenCase& c, int64_t L, const Local& local) {
  Network& network = *c.parts.network;
  for (int64_t l = 1; l <= L; ++l) {
    bool begins = true;
    for (const auto& stage : local.stages(l)) network.add(stage, std::exchange(begins, false));
    c.spikes.emplace_back(str("s", l), network.nodes().size() - 1);
  }
  bool begins = true;
  for (const auto& stage : local.head(L)) network.add(stage, std::exchange(begins, false));
  network.partition(std::vector<int64_t>(static_cast<size_t>(L), 1));
  for (int64_t l = 1; l < L; ++l) network.attach_head(l - 1, local.head(l));
  network.to(torch::kDouble);
  std::map<bool, int64_t> number;  // of layers and of heads so far; the last layer of all is a head
  const size_t body = static_cast<size_t>(network.nodes().size());
  for (size_t n = 0; n < body; ++n) {
    const Network::Node& node = network.nodes()[n];
    const auto here = std::dynamic_pointer_cast<Layer>(node.stage);
    if (!here) continue;
    const bool output = node.head_of < 0 && number[false] == L;
    if (node.head_of >= 0) {
      local.take_head(*here, node.head_of + 1);
    } else if (output) {
      local.take_head(*here, L);
    } else {
      local.take_layer(*here, ++number[false]);
    }
  }
}

/// ELL, BELL and FELL: spiking heads on average-pooled spikes, squared error of every step.
GoldenCase local_error(const GoldenRecord& r) {
  GoldenCase c = start(r, r.at("x"), "mse");
  const std::string kind = r.word("rule");
  c.parts.method = {make<Rule>(kind == "ELL" ? "sltt" : kind == "BELL" ? "bptt" : "rtrl")};
  c.local = kind != "BELL";
  const double threshold = r.number("th");
  const auto neuron = [&] {
    return make<Neuron>("lif", {{"leak", r.number("decay")},
                                {"threshold", threshold},
                                {"surrogate", "single_exponential"},
                                {"surrogate_scale", 1 / threshold}});
  };
  Local local;
  local.stages = [&](int64_t l) -> std::vector<std::shared_ptr<Stage>> {
    return {layer(recorded(r, l), neuron())};
  };
  local.head = [&](int64_t l) {
    std::vector<std::shared_ptr<Stage>> stages;
    const Tensor H = r.at(str("H", l)), s = r.at(str("s", l));
    if (s.dim() == 5 && H.size(1) != s[0][0].numel()) {
      const auto window = static_cast<int64_t>(
          std::lround(std::sqrt(static_cast<double>(s[0][0].numel()) / static_cast<double>(H.size(1)))));
      stages.push_back(make<Stage>("pool", {{"kind", "avg"}, {"window", window}}));
    }
    Connection readout = connection({{"name", "linear"},
                                     {"features", H.size(0)},
                                     {"weights", r.net.value("rand", false) ? "uniform" : "trained"}});
    if (r.net.value("fa", false)) readout.feedback = make<Feedback>("random");
    stages.push_back(layer(std::move(readout), neuron()));
    return stages;
  };
  local.take_layer = [&](Layer& made, int64_t l) { take(r, c, made, str("W", l), str("b", l)); };
  local.take_head = [&](Layer& made, int64_t l) { take(r, c, made, str("H", l), "", str("Hfb", l)); };
  stack(c, r.net.at("L"), local);
  return c;
}

/// STOLL: heads of fixed signs, cross-entropy of every step.
GoldenCase stoll(const GoldenRecord& r) {
  GoldenCase c = start(r, r.at("x"), "tet_ce");
  const RuleP readout = make<Rule>("sltt");
  const RuleP rule =
      r.number("trace") == 0 ? readout : make<Rule>("ottt", {{"trace_leak", r.number("lam_tr")}});
  Local local;
  local.stages = [&](int64_t l) -> std::vector<std::shared_ptr<Stage>> {
    return {layer(recorded(r, l), make<Neuron>("lif", {{"leak", r.number("lam")},
                                                       {"threshold", r.number("th")},
                                                       {"reset", "hard"},
                                                       {"surrogate", "rect"}}))};
  };
  local.head = [&](int64_t l) -> std::vector<std::shared_ptr<Stage>> {
    const int64_t classes = r.at(str("Hd", l)).size(0);
    return {layer(connection({{"name", "linear"}, {"features", classes}, {"weights", "sign"}}),
                  make<Neuron>("leaky_readout", {{"leak", 0}}))};
  };
  local.take_layer = [&](Layer& made, int64_t l) {
    take(r, c, made, str("W", l), "");
    c.parts.method.layers[made.slot()] = rule;
  };
  local.take_head = [&](Layer& made, int64_t l) { take(r, c, made, str("Hd", l), ""); };
  c.parts.method.rule = readout;
  stack(c, r.net.at("L"), local);
  return c;
}

/// DECOLLE: filters before the weights, a threshold after pooling, fixed random heads.
GoldenCase decolle(const GoldenRecord& r) {
  Tensor x = r.at("x");
  const Config pools = r.net.at("pool");
  const auto convolutions = static_cast<int64_t>(r.net.at("conv").size());
  if (convolutions == 0) x = x.flatten(2);
  const bool warm = r.net.value("init", false);  // one step on x[0], the loop from the burn-in on
  if (warm) x = torch::cat({x.slice(0, 0, 1), x.slice(0, r.net.at("burnin").get<int64_t>())});
  GoldenCase c = start(r, x, "smooth_l1");
  c.first = warm ? 1 : 0;
  c.parts.method = {make<Rule>("sltt")};
  Local local;
  local.stages = [&](int64_t l) {
    const int64_t window = l <= convolutions ? pools.at(static_cast<size_t>(l - 1)).get<int64_t>() : 1;
    const auto neuron = make<Neuron>("srm0", {{"leak_membrane", r.number("alpha")},
                                              {"leak_synapse", r.number("beta")},
                                              {"leak_refractory", r.number("alpharp")},
                                              {"weight_refractory", r.number("wrp")},
                                              {"output", window > 1 ? "membrane" : "spikes"}});
    std::vector<std::shared_ptr<Stage>> stages = {make<Stage>(neuron->input_filter()),
                                                  layer(recorded(r, l), neuron)};
    if (window > 1) {
      stages.push_back(make<Stage>("pool", {{"kind", "max"}, {"window", window}}));
      stages.push_back(make<Stage>("fire"));
    }
    return stages;
  };
  local.head = [&](int64_t l) -> std::vector<std::shared_ptr<Stage>> {
    const int64_t classes = r.at(str("Gro", l)).size(0);
    return {
        layer(connection({{"name", "linear"}, {"features", classes}, {"weights", "uniform"}, {"bias", true}}),
              make<Neuron>("leaky_readout", {{"leak", 0}}))};
  };
  local.take_layer = [&](Layer& made, int64_t l) { take(r, c, made, str("W", l), str("b", l)); };
  local.take_head = [&](Layer& made, int64_t l) { take(r, c, made, str("Gro", l), str("cro", l)); };
  stack(c, convolutions + static_cast<int64_t>(r.net.at("mlp").size()), local);
  return c;
}

/// Diagonal RTRL: one layer, which may be recurrent, and a readout, averaged cross-entropy of every step.
GoldenCase rtrl(const GoldenRecord& r) {
  GoldenCase c = start(r, r.at("x"), "tet_ce");
  c.parts.method = {make<Rule>("rtrl")};
  c.factor = 1 / static_cast<double>(c.parts.steps);
  const auto neuron = make<Neuron>("lif", {{"leak", r.number("lam")},
                                           {"threshold", r.number("th")},
                                           {"reset", r.word("kind")},
                                           {"detach_reset", r.word("chi") == "0"},
                                           {"surrogate", "triangle"},
                                           {"surrogate_scale", 1}});
  const bool recurrent = r.has("V1");
  std::vector<Connection> connections = {recorded(r, 1)};
  if (recurrent) connections.push_back(dense(r.at("V1").size(0)));
  const auto hidden = std::make_shared<Layer>(connections, neuron);
  const auto readout = layer(recorded(r, 2), make<Neuron>("leaky_readout", {{"leak", 0}}));
  c.parts.network->add(hidden,
                       recurrent ? std::vector<Network::Input>{{Network::kInput}, {0, 1}}
                                 : std::vector<Network::Input>{{Network::kInput}},
                       true);
  c.parts.network->add(readout, true);
  c.parts.network->to(torch::kDouble);
  c.spikes = {{"s1", 0}};
  take(r, c, *hidden, "W1", "b1");
  take(r, c, *readout, "W2", "b2");
  return c;
}

/// A recurrent layer and a leaky readout.
void recurrent(GoldenCase& c, const std::shared_ptr<Neuron>& neuron, int64_t neurons, Connection readout,
               const Config& leaky) {
  const auto hidden =
      std::make_shared<Layer>(std::vector<Connection>{dense(neurons), dense(neurons)}, neuron);
  const auto out = layer(std::move(readout), make<Neuron>("leaky_readout", leaky));
  c.parts.network->add(hidden, {{Network::kInput}, {0, 1}}, true);
  c.parts.network->add(out, true);
  c.parts.network->to(torch::kDouble);
  c.parts.method.layers[out->slot()] = make<Rule>("ottt");
  c.spikes = {{"z", 0}};
}

/// e-prop with adaptive thresholds: the squared error is summed over outputs and samples.
GoldenCase eprop(const GoldenRecord& r) {
  GoldenCase c = start(r, r.at("x"), "mse");
  const Tensor target = r.at("target");
  c.batch.target = {Target::Kind::sequence, target};
  c.parts.target = Target::Kind::sequence;
  c.factor = 0.5 * static_cast<double>(target[0].numel());
  const double kappa = r.number("decay_out");
  const auto neuron = make<Neuron>("alif", {{"leak", r.number("alpha")},
                                            {"leak_adaptation", r.number("rho")},
                                            {"threshold", r.number("thr")},
                                            {"strict", true},
                                            {"detach_reset", true},
                                            {"refractory", static_cast<int64_t>(r.number("nref")) - 1},
                                            {"surrogate_scale", r.number("gamma")}});
  c.parts.method.rule = make<Rule>("e_prop", {{"kappa", kappa}});
  Connection readout = dense(target.size(2));
  if (r.word("feedback") == "random") readout.feedback = make<Feedback>("random");
  recurrent(c, neuron, r.at("W_rec").size(0), readout, {{"leak", kappa}, {"gain", 1 - kappa}});
  set_coefficient(*neuron, "beta", r.at("beta"));
  for (auto& item : c.parts.network->named_parameters()) {
    const bool recurrent = item.key() == "0.synapse1.weight", out = item.key() == "1.synapse.weight";
    const char* name = recurrent ? "W_rec" : out ? "W_out" : "W_in";
    const torch::NoGradGuard no_grad;
    item.value().copy_(r.at(name).t());
    c.parameters.emplace_back(name, item.value());
  }
  for (auto& item : c.parts.network->named_buffers()) {
    if (item.key() == "1.feedback.feedback") item.value().copy_(r.at("B_feedback").t());
  }
  c.adjust = [](const std::string& name, Tensor grad) {
    grad = grad.t().clone();
    return name == "W_rec" ? grad.fill_diagonal_(0) : grad;
  };
  return c;
}

/// The released code's trace of the input is a step ahead of its forward pass; that of the recurrent synapse is not.
struct Ahead final : Rule {
  RuleP rule;
  Tensor x;  ///< [T,B,inputs] from the step on that the trace sees first
  mutable int64_t t = 0;
  uint32_t needs() const override { return rule->needs(); }
  bool uses_vjp() const override { return false; }
  bool works_by_step() const override { return true; }
  bool local_in_time() const override { return true; }
  int64_t extra_pairs() const override { return 1; }
  void trace_post(Record& record) const override { rule->trace_post(record); }
  void trace(const Record& record, Presynaptic& pre) const override {
    if (pre.x.edge().size(2) != x.size(2)) return rule->trace(record, pre);
    if (pre.trace.empty()) {
      pre.trace = {x[0].unsqueeze(0).expand({record.state[0].size(1), -1, -1}), Tensor()};
      t = 0;
    }
    pre.x = Signal::dense(x.slice(0, t + 1, t + 2));
    ++t;
    rule->trace(record, pre);
  }
  Credit credit(const Neuron& neuron, const Record& record, const Tensor& delta,
                const State& g) const override {
    return rule->credit(neuron, record, delta, g);
  }
  Tensor weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                         const Tensor& g) const override {
    return rule->weight_gradient(synapse, record, pre, g);
  }
};

/// e-prop of the code in PyTorch: input and output are a step apart, error at the last `t_crop` steps if that is not 0.
GoldenCase eprop_pytorch(const GoldenRecord& r) {
  const Tensor x = r.at("x"), target = r.at("target").slice(0, 1);
  const bool classify = r.number("classif") != 0;
  GoldenCase c = start(r, x.slice(0, 0, x.size(0) - 1), classify ? "tet_ce" : "mse");
  if (classify) {
    c.batch.target = {Target::Kind::class_index, target[-1].argmax(1)};
    c.factor = static_cast<double>(x.size(1));
  } else {
    c.batch.target = {Target::Kind::sequence, target};
    c.parts.target = Target::Kind::sequence;
    c.factor = 0.5 * static_cast<double>(target[0].numel());
  }
  c.scored = static_cast<int64_t>(r.number("t_crop"));
  const double threshold = r.number("thr");
  const auto neuron = make<Neuron>("lif", {{"leak", r.number("alpha")},
                                           {"threshold", threshold},
                                           {"reset", "soft"},
                                           {"strict", true},
                                           {"detach_reset", true},
                                           {"surrogate", "threshold_triangle"},
                                           {"surrogate_scale", r.number("gamma") * threshold}});
  const auto ahead = std::make_shared<Ahead>();
  ahead->rule = make<Rule>("e_prop", {{"kappa", r.number("kappa")}});
  ahead->x = x;
  c.parts.method.rule = ahead;
  recurrent(c, neuron, r.at("W_rec").size(0), dense(target.size(2), true),
            {{"leak", r.number("kappa")}, {"gain", 1}});
  for (auto& item : c.parts.network->named_parameters()) {
    const torch::NoGradGuard no_grad;
    if (item.key() == "1.synapse.bias") {
      item.value().fill_(r.number("b_o"));
      continue;
    }
    const bool recurrent = item.key() == "0.synapse1.weight", out = item.key() == "1.synapse.weight";
    const char* name = recurrent ? "W_rec" : out ? "W_out" : "W_in";
    set_from(r, name, item.value());
    c.parameters.emplace_back(name, item.value());
  }
  c.spikes.clear();  // the file begins a step before
  return c;
}

std::optional<GoldenCase> open(const GoldenRecord& r) {
  using Make = GoldenCase (*)(const GoldenRecord&);
  static const std::map<std::string, Make> known = {
      {"ELL", local_error},   {"BELL", local_error},
      {"FELL", local_error},  {"STOLL", stoll},
      {"DECOLLE", decolle},   {"diagonal RTRL", rtrl},
      {"e-prop ALIF", eprop}, {"e-prop LIF (Frenkel)", eprop_pytorch}};
  const auto it = known.find(r.word("rule"));
  if (it == known.end()) return {};
  return it->second(r);
}

TEST(LocalRulesGolden, EveryFileIsMatched) {
  std::map<std::string, int64_t> compared;
  for (const std::string& path : golden_files("rules")) {
    SCOPED_TRACE(path);
    const GoldenRecord r(path);
    const auto c = open(r);
    if (!c) continue;
    ++compared[r.word("rule")];
    check_golden(r, *c);
  }
  EXPECT_EQ(compared.size(), 8U);
}

}  // namespace spiketrain::local_rules_golden_test
