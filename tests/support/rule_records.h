// Records of learning rules: a file of golden/rules as a network of ours with its method, plan, objective and batch.
#pragma once
#include <optional>
#include <set>

#include "spiketrain/core/head.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/engine.h"

namespace spiketrain {

/// The layers of a record's network, the readout last, and the nodes they are.
struct RecordedNetwork {
  std::shared_ptr<Network> network;
  std::vector<std::shared_ptr<Layer>> layers;
  std::vector<size_t> nodes;
};

class RuleRecord {
 public:
  std::string rule;
  torch::ScalarType type = torch::kDouble;
  int64_t T = 0;

  /// Empty if the record is of a rule that is not here, or reaches the layers by other ways than their synapses.
  static std::optional<RuleRecord> open(const std::string& path) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    if (!file.metadata().count("rule") || !file.metadata().count("net")) return {};
    const std::string rule = file.metadata().at("rule");
    static const std::set<std::string> known = {"OTTT_A",
                                                "OTTT_O",
                                                "SLTT",
                                                "SLTT-K",
                                                "S-TLLR",
                                                "FA with SLTT",
                                                "FA with BPTT",
                                                "S-TLLR with DFA feedback",
                                                "S-TLLR with sDFA feedback",
                                                "S-TLLR with DRTP feedback",
                                                "TESS",
                                                "TESS (as shipped)"};
    if (!known.count(rule)) return {};
    return RuleRecord(file);
  }

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  Tensor at(const std::string& name) const { return to_tensor(file_.at(name)); }
  std::string word(const char* key) const {
    const auto it = file_.metadata().find(key);
    return it == file_.metadata().end() ? "" : it->second;
  }
  double number(const char* key) const { return std::stod(word(key)); }
  /// The weights change at every step with error.
  bool online() const { return net_.value("online", false); }
  /// Each hidden layer learns from a head of its own.
  bool local() const { return net_.value("fb", "") == "LLS"; }
  /// The losses of the steps add up instead of being averaged.
  bool summed() const { return stllr(); }

  Batch batch() const {
    Batch batch;
    batch.form = Batch::Form::frames;
    batch.x = at("x");
    batch.target = {Target::Kind::class_index, at("labels")};
    return batch;
  }

  RecordedNetwork network() const {
    RecordedNetwork n;
    const Tensor x = at("x");
    n.network = std::make_shared<Network>(Shape(x.sizes().begin() + 2, x.sizes().end()));
    int64_t l = 0;
    for (size_t i = 0; i < spec_.size(); ++i) {
      const std::string kind = spec_[i][0];
      if (kind == "lif" || kind == "bn" || kind == "hook" || kind == "lls")
        continue;  // part of the layer before
      if (kind == "scale") {
        n.network->add(make<Stage>("scale", {{"factor", spec_[i][1]}}), false);
      } else if (kind == "pool") {
        const bool named = spec_[i][1].is_string();
        n.network->add(
            make<Stage>("pool", {{"kind", named ? spec_[i][1] : Config("avg")}, {"window", spec_[i].back()}}),
            false);
      } else {
        ++l;
        const bool norm = i + 1 < spec_.size() && spec_[i + 1][0] == "bn";
        add(n, layer(kind, spec_[i][1], l, norm), kind == "rec");
      }
    }
    // Where each layer learns by itself, so does the readout: a block of its own, what pools for it included.
    const bool apart = hooked() || local(), pools = net_.value("conv", false);
    if (pools) n.network->add(make<Stage>("global_average"), apart);
    const bool leaky = net_.value("readout", "") == "leaky";
    const double leak = leaky ? 1 / (1 + std::exp(-net_.at("ro_leak").get<double>())) : 0;
    ++l;
    const std::vector<Connection> readout = {connection("lin", at(str("W", l)).size(0), l, false)};
    add(n, std::make_shared<Layer>(readout, make<Neuron>("leaky_readout", {{"leak", leak}})), false,
        !(apart && pools));
    if (apart) n.network->partition(std::vector<int64_t>(n.layers.size(), 1));
    if (local()) attach_heads(*n.network);
    n.network->to(type);
    const torch::NoGradGuard no_grad;
    if (local()) set_heads(*n.network);
    for (auto& [name, parameter] : parameters(n)) Tensor(parameter).copy_(at(name).view(parameter.sizes()));
    for (auto& [name, buffer] : feedback(n)) Tensor(buffer).copy_(at(name));
    return n;
  }

  /// By their names in the file.
  NamedTensors parameters(const RecordedNetwork& n) const {
    NamedTensors list;
    for (size_t l = 0; l < n.layers.size(); ++l) {
      const std::string number = std::to_string(l + 1);
      for (const auto& item : n.layers[l]->named_parameters()) {
        const bool recurrent = item.key().rfind("synapse1", 0) == 0, norm = item.key().rfind("norm", 0) == 0;
        const std::string last = item.key().substr(item.key().rfind('.') + 1);
        std::string name = last == "weight" ? "W" : last == "bias" ? "b" : "gain";
        if (recurrent) name = last == "weight" ? "V" : "gainV";
        name += number;
        if (norm) name = "bn" + number + (last == "weight" ? "_w" : "_b");
        list.emplace_back(name, item.value());
      }
    }
    return list;
  }
  /// Running statistics of norms, without the "_after" of the file.
  NamedTensors statistics(const RecordedNetwork& n) const {
    NamedTensors list;
    for (size_t l = 0; l < n.layers.size(); ++l) {
      for (const auto& item : n.layers[l]->named_buffers()) {
        const size_t at = item.key().rfind("running_");
        if (at != std::string::npos)
          list.emplace_back(str("bn", l + 1, "_", item.key().substr(at)), item.value());
      }
    }
    return list;
  }

  Method method(const RecordedNetwork& n) const {
    Method method;
    for (size_t l = 0; l < n.layers.size(); ++l) {
      method.layers[n.layers[l]->slot()] = rule_of(static_cast<int64_t>(l), l + 1 == n.layers.size());
    }
    method.rule = local() ? make<Rule>("sltt") : method.layers.begin()->second;  // of the heads
    return method;
  }

  Plan plan() const {
    Plan plan;
    if (has("kept_steps")) {
      for (int64_t t = 0; t < T; ++t) plan.push_back({t, t + 1, Role::burn_in, t + 1 == T});
      const Tensor kept = at("kept_steps");
      for (int64_t k = 0; k < kept.numel(); ++k)
        plan[static_cast<size_t>(kept[k].item<int64_t>())].role = Role::live;
      divide_loss(plan, T, "steps");
      return plan;
    }
    if (stllr())
      return make<Schedule>("last_steps", {{"live", std::stoi(word("delay"))},
                                           {"divide_by", "one"},
                                           {"update", online() ? "step" : "batch"}})
          ->plan({T});
    return make<Schedule>("truncated", {{"update", online() ? "step" : "batch"}})->plan({T});
  }

  LearnerParts parts(const RecordedNetwork& n, std::shared_ptr<const Schedule> schedule) const {
    LearnerParts parts;
    parts.network = n.network;
    parts.method = method(n);
    const bool ones = word("target") == "ones";
    parts.objective = make<Objective>(
        "tet_ce", {{"mse_weight", word("mix").empty() ? 0 : number("mix")}, {"mse_one_hot", !ones}});
    parts.steps = T;
    parts.schedule = std::move(schedule);
    if (!hooked()) return parts;
    Config signal = {{"name", feedback_kind() == "DRTP" ? "drtp" : "dfa"}, {"divide_by", "one"}};
    if (feedback_kind() == "sDFA") signal["send"] = "sign";
    parts.signal = make<LearningSignal>(signal);
    return parts;
  }

  /// Puts the recorded matrices in the place of those that a learner drew; the authors' DRTP has the other sign.
  void set_matrices(const LearnerParts& parts) const {
    if (!hooked()) return;
    std::vector<Tensor> matrices = parts.signal->matrices();
    for (size_t b = 0; b < matrices.size(); ++b) {
      const Tensor B = at(str("Bfb", b + 1)).view(matrices[b].sizes());
      matrices[b].copy_(feedback_kind() == "DRTP" ? -B : B);
    }
  }

  /// Runs one step through all nodes; what each sent.
  std::vector<Signal> run_nodes(const RecordedNetwork& n, Signal x, const Context& context, Carry& carry,
                                std::vector<Signal>& before) const {
    std::vector<Signal> shown;
    for (const Network::Node& node : n.network->nodes()) {
      if (node.head_of >= 0) continue;
      std::vector<Signal> in = {x};
      if (node.inputs.size() == 2) {  // recurrent
        const auto from = static_cast<size_t>(node.inputs[1].node);
        std::vector<int64_t> shape = {1, x.batch()};
        shape.insert(shape.end(), node.out.begin(), node.out.end());
        in.push_back(before.empty() ? Signal::dense(torch::zeros(shape, torch::dtype(type))) : before[from]);
      }
      shown.push_back(x = node.stage->forward(in, context, carry));
    }
    return before = shown;
  }

 private:
  explicit RuleRecord(SafetensorsFile file) : file_(std::move(file)) {
    rule = word("rule");
    net_ = Config::parse(word("net"));
    type = word("dtype") == "F32" ? torch::kFloat : torch::kDouble;
    T = at("x").size(0);
    if (net_.contains("spec")) {
      spec_ = net_["spec"];
      return;
    }
    const auto& dims = net_.at("dims");  // widths of the input, the layers, the readout
    spec_ = Config::array();
    for (size_t i = 1; i + 1 < dims.size(); ++i) spec_.push_back({"lin", dims[i]});
  }

  /// The eligibility of S-TLLR, which is that of TESS.
  bool stllr() const { return rule.rfind("S-TLLR", 0) == 0 || rule.rfind("TESS", 0) == 0; }
  std::string feedback_kind() const { return net_.value("fb", ""); }
  /// Errors reach the hidden layers past their synapses.
  bool hooked() const { return has("Bfb1"); }
  bool ottt() const { return rule == "OTTT_A" || rule == "OTTT_O"; }

  Connection connection(const std::string& kind, int64_t size, int64_t l, bool recurrent) const {
    const std::string number = std::to_string(l);
    Connection c;
    Config options = {{"bias", !recurrent && has("b" + number)},
                      {"weight_standardisation", has((recurrent ? "gainV" : "gain") + number)}};
    if (kind == "conv") {
      options.update({{"channels", size}, {"kernel", 3}, {"padding", 1}});
    } else {
      options["features"] = size;
    }
    c.synapse = make<Synapse>(kind == "conv" ? "conv2d" : "linear", options);
    if (has("Wfb" + number) && l > 1) c.feedback = make<Feedback>("random");
    return c;
  }

  std::shared_ptr<Layer> layer(const std::string& kind, int64_t size, int64_t l, bool norm) const {
    std::vector<Connection> connections = {connection(kind, size, l, false)};
    if (norm) connections[0].norm = make<Norm>("bn");
    if (kind == "rec") connections.push_back(connection("lin", size, l, true));
    return std::make_shared<Layer>(std::move(connections), neuron(l));
  }

  std::shared_ptr<Neuron> neuron(int64_t l) const {
    const auto [name, scale] = surrogate(l);
    return make<Neuron>("lif", {{"leak", number("lam")},
                                {"threshold", number("th")},
                                {"gain", word("kin").empty() ? 1 : number("kin")},
                                {"strict", stllr()},
                                {"reset_by", word("reset_sub").empty() ? 0 : number("reset_sub")},
                                {"surrogate", name},
                                {"surrogate_scale", scale}});
  }

  std::pair<std::string, double> surrogate(int64_t l) const {
    if (stllr()) {
      const std::string psi = net_.at("psis")[static_cast<size_t>(l - 1)];
      if (psi == "fast100") return {"fast_sigmoid", 100};
      ST_CHECK(psi == "tri03", file_.path(), ": surrogate ", psi);
      return {"triangle", 0.3};
    }
    const std::string name = word("sur").empty() ? "triangle" : word("sur");
    if (name == "sigmoid") return {"sigmoid", number("alpha")};
    if (name == "rectangle") return {"rect", 1 / number("alpha")};
    ST_CHECK(name == "triangle", file_.path(), ": surrogate ", name);
    return {"piecewise_quadratic", number("alpha")};
  }

  RuleP rule_of(int64_t layer, bool readout) const {
    if (rule == "FA with BPTT") return make<Rule>("bptt");
    if (stllr()) {
      if (readout && net_.value("readout", "") != "leaky") return make<Rule>("sltt");
      if (readout) return make<Rule>("ottt", {{"trace_leak", 0.99}});
      const Config factors = Config::parse(word("factors"));
      return make<Rule>("s_tllr", {{"alpha_pre", factors["apre"]},
                                   {"alpha_post", factors["apost"]},
                                   {"lambda_pre", factors["lpre"]},
                                   {"lambda_post", factors["lpost"]},
                                   {"post_trace", "released_code"}});
    }
    if (!ottt()) return make<Rule>("sltt");
    // The readout's trace has the leak of the neurons below it.
    if (readout) return make<Rule>("ottt", {{"trace_leak", number("lam")}});
    int64_t seen = -1;
    for (const Config& item : spec_) {
      if (item[0] != "lin" && item[0] != "conv") continue;
      if (++seen == layer) return item[2] ? make<Rule>("ottt") : make<Rule>("sltt");
    }
    throw UsageError("no such layer");
  }

  NamedTensors feedback(const RecordedNetwork& n) const {
    NamedTensors list;
    for (size_t l = 1; l < n.layers.size(); ++l) {
      for (const auto& item : n.layers[l]->named_buffers()) {
        if (item.key().rfind("feedback", 0) == 0)
          list.emplace_back("Wfb" + std::to_string(l + 1), item.value());
      }
    }
    return list;
  }

  /// For each block its square waves, which pool to n x n or n.
  void attach_heads(Network& network) const {
    int64_t b = 0;
    for (const Config& item : spec_) {
      if (item[0] != "lls") continue;
      const auto head = make<Head>("linear", {{"weights", "square_wave"}, {"grid", item[1]}});
      network.attach_head(b, head->build(network.block_shape(b), network.out_shape(),
                                         make<Neuron>("leaky_readout", {{"leak", 0}})));
      ++b;
    }
  }
  void set_heads(Network& network) const {
    for (int64_t b = 0; b + 1 < network.blocks(); ++b) {
      const auto layer = network.layers(b, /*head=*/true).at(0);
      layer->connections()[0].synapse->weight().copy_(at(str("Bmat", b + 1)));
    }
  }

  static void add(RecordedNetwork& n, std::shared_ptr<Layer> layer, bool recurrent, bool new_unit = true) {
    const auto index = static_cast<int64_t>(n.network->nodes().size());
    std::vector<Network::Input> inputs = {{index - 1}};
    if (recurrent) inputs.push_back({index, 1});
    n.layers.push_back(layer);
    n.nodes.push_back(static_cast<size_t>(index));
    n.network->add(std::move(layer), std::move(inputs), new_unit);
  }

  SafetensorsFile file_;
  Config net_, spec_;
};

}  // namespace spiketrain
