// A network and its layers as configurations, and back.
#include <algorithm>
#include <cmath>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/network.h"

namespace spiketrain {
namespace {

std::shared_ptr<Stage> make_stage(const Config& config) {
  if (config.is_object() && config.value("name", "") == "layer") return Layer::from_config(config);
  return make<Stage>(config);
}

}  // namespace

std::shared_ptr<Layer> Layer::from_config(const Config& config) {
  const auto part = [](const Config& from, const char* key) {
    const auto it = from.find(key);
    return it == from.end() ? Config() : Config(*it);
  };
  const Config list = part(config, "connections");
  ST_CHECK(list.is_array(), "layer: expected a list \"connections\"");
  std::vector<Connection> connections;
  for (const Config& item : list) {
    Connection c;
    if (const Config made = part(item, "synapse"); !made.is_null()) c.synapse = make<Synapse>(made);
    if (const Config made = part(item, "norm"); !made.is_null()) c.norm = make<Norm>(made);
    if (const Config made = part(item, "feedback"); !made.is_null()) c.feedback = make<Feedback>(made);
    if (const Config made = part(item, "quantizer"); !made.is_null()) c.quantizer = make<Quantizer>(made);
    connections.push_back(std::move(c));
  }
  return std::make_shared<Layer>(std::move(connections), make<Neuron>(part(config, "neuron")));
}

Config Layer::config() const {
  Config list = Config::array();
  for (const Connection& c : connections_) {
    Config item = Config::object();
    if (c.synapse) item["synapse"] = c.synapse->config();
    if (c.norm) item["norm"] = c.norm->config();
    if (c.feedback) item["feedback"] = c.feedback->config();
    if (c.quantizer) item["quantizer"] = c.quantizer->config();
    list.push_back(std::move(item));
  }
  return {{"name", "layer"}, {"connections", std::move(list)}, {"neuron", neuron_->config()}};
}

Config Network::config() const {
  Config nodes = Config::array(), heads = Config::array();
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    if (node.head_of >= 0) {
      const auto b = static_cast<size_t>(node.head_of);
      while (heads.size() <= b) heads.push_back(Config::array());
      heads[b].push_back(node.stage->config());
      continue;
    }
    Config inputs = Config::array();
    for (const Input& input : node.inputs) {
      const bool ahead = input.node >= static_cast<int64_t>(n);
      inputs.push_back(ahead ? Config{{"node", input.node}, {"delay", input.delay}, {"shape", input.shape}}
                             : Config{{"node", input.node}, {"delay", input.delay}});
    }
    nodes.push_back({{"name", node.name},
                     {"token", node.token},
                     {"unit", node.unit},
                     {"inputs", std::move(inputs)},
                     {"stage", node.stage->config()}});
  }
  Config config = {
      {"input", input_}, {"nodes", std::move(nodes)}, {"blocks", ends_}, {"heads", std::move(heads)}};
  if (dt_ > 0) config["dt"] = dt_;
  return config;
}

void Network::set_dt(double seconds) {
  ST_CHECK(std::isfinite(seconds) && seconds >= 0, "network: dt: expected seconds above 0, got ", seconds);
  dt_ = seconds;
}

std::shared_ptr<Network> Network::from_config(const Config& config) {
  try {
    auto network = std::make_shared<Network>(config.at("input").get<Shape>());
    int64_t unit = -1;
    for (const Config& item : config.at("nodes")) {
      std::vector<Input> inputs;
      for (const Config& input : item.at("inputs"))
        inputs.push_back({input.at("node"), input.at("delay"), input.value("shape", Shape())});
      const int64_t own = item.at("unit");
      const std::string token = item.at("token");
      network->add(make_stage(item.at("stage")), std::move(inputs), own != unit, item.at("name"),
                   token.c_str());
      unit = own;
    }
    const auto ends = config.at("blocks").get<std::vector<size_t>>();
    ST_CHECK(!ends.empty() && ends.back() == network->body_ && std::is_sorted(ends.begin(), ends.end()),
             "network: the blocks do not cover its nodes");
    network->ends_ = ends;
    network->compile();
    int64_t b = 0;
    for (const Config& head : config.at("heads")) {
      std::vector<std::shared_ptr<Stage>> stages;
      for (const Config& stage : head) stages.push_back(make_stage(stage));
      if (!stages.empty()) network->attach_head(b, stages);
      ++b;
    }
    network->set_dt(config.value("dt", 0.0));
    return network;
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(str("network: not what Network::config() writes: ", error.what()));
  }
}

}  // namespace spiketrain
