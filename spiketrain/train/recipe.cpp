#include "spiketrain/train/recipe.h"

#include <algorithm>

#include "spiketrain/base/file.h"
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/neuron.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/train/toml.h"

namespace spiketrain {
namespace {

constexpr uint64_t kMaxRecipeBytes = 1 << 20;

/// A section that must hold a table; `fallback` if it is absent.
Config section(const Config& config, const char* name, Config fallback = Config::object()) {
  const auto it = config.find(name);
  if (it == config.end()) return fallback;
  ST_CHECK(it->is_object(), name, ": expected a section [", name, "], got ", it->dump());
  return *it;
}

const std::vector<std::string>& section_names() {
  static const std::vector<std::string> names = {
      "data",   "events", "encoder",   "network",   "neuron", "readout", "rule", "schedule",
      "blocks", "head",   "objective", "optimizer", "lr",     "train",   "cost", "paper"};
  return names;
}

/// A key called "name" is let through by every reader of options; refuse it where it means nothing.
void refuse_name(const Config& config, const std::string& owner) {
  ST_CHECK(!config.contains("name"), owner, ": unknown option 'name'");
}

/// blocks.size = "all" is the same as 0.
Config block_section(const Config& config) {
  Config blocks = section(config, "blocks");
  if (blocks.contains("size") && blocks["size"] == "all") blocks["size"] = 0;
  return blocks;
}

template <class Base>
Config part(const Config& config, const char* name, const char* default_name = nullptr) {
  const Config fallback = default_name ? Config{{"name", default_name}} : Config::object();
  return Registry<Base>::get().resolve(section(config, name, fallback));
}

}  // namespace

std::vector<int64_t> BlockSection::sizes(int64_t layers) const {
  if (!partition.empty()) return partition;
  if (size == 0) return {layers};
  ST_CHECK(size <= layers, "blocks.size: expected 1 to ", layers,
           ", the hidden layers of the network, or \"all\"; got ", size);
  std::vector<int64_t> sizes(static_cast<size_t>(layers / size), size);
  if (layers % size != 0) sizes.push_back(layers % size);
  return sizes;
}

Recipe make_recipe(const Config& config) {
  ST_CHECK(config.is_object(), "recipe: expected a table");
  Recipe recipe;
  OptionReader top(config, "recipe");
  recipe.visit(top);
  top.finish(section_names());
  refuse_name(config, "recipe");

  read_options(recipe.data, section(config, "data"), "data");
  ST_CHECK(recipe.data.mean.size() <= 1 && recipe.data.std.size() <= 1,
           "data.mean, data.std: expected [] or one value");
  read_options(recipe.events, section(config, "events"), "events");
  refuse_name(section(config, "events"), "events");
  recipe.encoder = part<Encoder>(config, "encoder", "direct");
  recipe.network = part<NetworkBuilder>(config, "network");
  recipe.neuron = part<Neuron>(config, "neuron");
  recipe.readout = config.contains("readout") ? part<Neuron>(config, "readout") : recipe.neuron;
  recipe.rule = part<Rule>(config, "rule");
  recipe.schedule = part<Schedule>(config, "schedule", "whole");
  read_options(recipe.blocks, block_section(config), "blocks");
  ST_CHECK(recipe.blocks.partition.empty() || recipe.blocks.size == 0,
           "blocks: expected either size or partition, got both");
  read_options(recipe.head, section(config, "head"), "head");
  for (const char* name : {"blocks", "head"}) refuse_name(section(config, name), name);
  recipe.objective = part<Objective>(config, "objective");
  read_options(recipe.optimizer, section(config, "optimizer"), "optimizer");
  recipe.optimizer.check();
  recipe.lr.check();
  read_options(recipe.lr, section(config, "lr"), "lr");
  read_options(recipe.train, section(config, "train"), "train");
  refuse_name(section(config, "train"), "train");
  read_options(recipe.cost, section(config, "cost"), "cost");
  refuse_name(section(config, "cost"), "cost");
  recipe.paper = section(config, "paper");
  return recipe;
}

Recipe parse_recipe(const std::string& text, const std::string& origin) {
  return make_recipe(parse_toml(text, origin));
}

Config load_config(const std::string& path) {
  const Bytes bytes = read_file(path, kMaxRecipeBytes);
  return parse_toml(std::string(bytes.begin(), bytes.end()), path);
}

Recipe load_recipe(const std::string& path) { return make_recipe(load_config(path)); }

void apply_set(Config& config, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  ST_CHECK(equals != std::string::npos && equals > 0, "--set ", assignment, ": expected section.key=value");
  Config* at = &config;
  std::string rest = assignment.substr(0, equals);
  for (bool last = false; !last;) {
    const size_t dot = rest.find('.');
    last = dot == std::string::npos;
    const std::string key = rest.substr(0, dot);
    ST_CHECK(!key.empty(), "--set ", assignment, ": expected section.key=value");
    ST_CHECK(at->is_object(), "--set ", assignment, ": what comes before '.", key,
             "' is a value, not a section");
    at = &(*at)[key];
    if (!last && at->is_null()) *at = Config::object();
    rest = last ? "" : rest.substr(dot + 1);
  }
  *at = parse_toml_value(assignment.substr(equals + 1));
}

Config resolve(const Recipe& recipe) {
  Recipe copy = recipe;  // visit() is not const
  Config config = write_options(copy);
  config["data"] = write_options(copy.data);
  config["events"] = write_options(copy.events);
  config["encoder"] = recipe.encoder;
  config["network"] = recipe.network;
  config["neuron"] = recipe.neuron;
  config["readout"] = recipe.readout;
  config["rule"] = recipe.rule;
  config["schedule"] = recipe.schedule;
  config["blocks"] = write_options(copy.blocks);
  config["head"] = write_options(copy.head);
  config["objective"] = recipe.objective;
  config["optimizer"] = write_options(copy.optimizer);
  config["lr"] = write_options(copy.lr);
  config["train"] = write_options(copy.train);
  config["cost"] = write_options(copy.cost);
  if (!recipe.paper.empty()) config["paper"] = recipe.paper;
  return config;
}

std::vector<std::pair<std::string, std::vector<OptionDoc>>> recipe_options() {
  return {{"", list_options<Recipe>()},
          {"data", list_options<DataSection>()},
          {"blocks", list_options<BlockSection>()},
          {"head", list_options<HeadOptions>()},
          {"events", list_options<EventOptions>()},
          {"optimizer", list_options<OptimizerOptions>()},
          {"lr", list_options<LrOptions>()},
          {"train", list_options<TrainSection>()},
          {"cost", list_options<EnergyTable>()}};
}

}  // namespace spiketrain
