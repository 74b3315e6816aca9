#include "spiketrain/recipe/sections.h"

#include <algorithm>
#include <type_traits>

#include "spiketrain/base/synonyms.h"
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/head.h"
#include "spiketrain/core/learning_signal.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/regularizer.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/recipe/saved_network.h"

namespace spiketrain {
namespace {

/// A section that must hold a table; empty if it is absent.
Config table_at(const Config& config, const std::string& name) {
  const auto it = config.find(name);
  if (it == config.end()) return Config::object();
  const std::string ours = our_word(name, {});
  ST_CHECK(it->is_object(), name, ": expected a section [", name, "], got ",
           it->dump(-1, ' ', false, Config::error_handler_t::replace), ours.empty() ? "" : "; " + ours);
  return *it;
}

/// A name alone stands for a table that holds it.
Config named(const Config& given) { return given.is_string() ? Config{{"name", given}} : given; }

/// A section of plain options; with a `name` among them its name alone stands for it.  `prepare` may rewrite what was
/// given.  A key called "name" is let through by every reader of options, so it is refused here where it means nothing.
template <class T>
Section plain(const char* name, T Recipe::*field, Config (*prepare)(Config) = nullptr) {
  Section section;
  section.name = name;
  section.read = [=](const Config& config, Recipe& recipe) {
    const std::vector<OptionDoc> options = list_options<T>();
    const bool has_name =
        std::any_of(options.begin(), options.end(), [](const OptionDoc& o) { return o.name == "name"; });
    const auto it = config.find(name);
    Config given = has_name && it != config.end() && it->is_string() ? named(*it) : table_at(config, name);
    if (prepare) given = prepare(std::move(given));
    ST_CHECK(has_name || !given.contains("name"), name, ": unknown option 'name'");
    read_options(recipe.*field, given, name);
  };
  section.write = [=](const Recipe& recipe) { return write_options(recipe.*field); };
  section.options = [](const Recipe&) { return list_options<T>(); };
  return section;
}

/// A section that names a part, or that part's name alone; without a name it stands for `fallback`, unless that is
/// null.
template <class Base>
Section part(const char* name, Config Recipe::*field, const char* fallback = nullptr) {
  Section section;
  section.name = name;
  section.part = true;
  section.read = [=](const Config& config, Recipe& recipe) {
    const auto it = config.find(name);
    Config given = it != config.end() && it->is_string() ? named(*it) : table_at(config, name);
    if (fallback && !given.contains("name")) given["name"] = fallback;
    recipe.*field = Registry<Base>::get().resolve(given);
  };
  section.write = [=](const Recipe& recipe) { return recipe.*field; };
  section.options = [=](const Recipe& recipe) {
    return Registry<Base>::get().find((recipe.*field).at("name")).options();
  };
  return section;
}

/// [neuron] and [rule]: a network that uses neither needs no section, which then stands for `idle`; one with neurons of its own needs
/// no [neuron].
template <class Base>
Section part_of_layers(const char* name, Config Recipe::*field, const char* idle) {
  Section section = part<Base>(name, field);
  const auto needed = section.read, not_needed = part<Base>(name, field, idle).read;
  section.read = [=](const Config& config, Recipe& recipe) {
    const auto network = make<NetworkBuilder>(recipe.network);
    const bool own = std::is_same_v<Base, Neuron> && std::dynamic_pointer_cast<StartsWithWeights>(network);
    const bool given = config.contains(name) || (network->uses_neurons() && !own);
    (given ? needed : not_needed)(config, recipe);
  };
  return section;
}

/// [readout]: a neuron; that of [neuron] if the section is absent.
Section readout() {
  Section section = part<Neuron>("readout", &Recipe::readout);
  section.read = [read = section.read](const Config& config, Recipe& recipe) {
    if (config.contains("readout")) return read(config, recipe);
    recipe.readout = recipe.neuron;
  };
  return section;
}

/// [rules.PLACE]
Section rules() {
  Section section;
  section.name = "rules";
  section.read = [](const Config& config, Recipe& recipe) {
    const Config table = table_at(config, "rules");
    for (const auto& item : table.items())
      recipe.rules[item.key()] = Registry<Rule>::get().resolve(named(item.value()));
  };
  section.write = [](const Recipe& recipe) { return recipe.rules.empty() ? Config() : recipe.rules; };
  section.options = [](const Recipe&) { return std::vector<OptionDoc>(); };
  section.part = true;
  return section;
}

/// A key at the top level: one part or a list of them.
template <class Base>
Section list_of(const char* name, Config Recipe::*field) {
  Section section;
  section.name = name;
  section.read = [=](const Config& config, Recipe& recipe) {
    if (!config.contains(name)) return;
    const Config& given = config[name];
    for (const Config& part : given.is_array() ? given : Config::array({given}))
      (recipe.*field).push_back(Registry<Base>::get().resolve(named(part)));
  };
  section.write = [=](const Recipe& recipe) { return recipe.*field; };
  section.options = [](const Recipe&) { return std::vector<OptionDoc>(); };
  section.part = true;
  return section;
}

/// [paper]
Section free_text() {
  Section section;
  section.name = "paper";
  section.read = [](const Config& config, Recipe& recipe) { recipe.paper = table_at(config, "paper"); };
  section.write = [](const Recipe& recipe) { return recipe.paper.empty() ? Config() : recipe.paper; };
  section.options = [](const Recipe&) {  // one for the section as a whole
    return std::vector<OptionDoc>{{"", "table", "free text", "", Config::object(), OnResume::may_change}};
  };
  section.part = true;
  return section;
}

/// blocks.size = "all" is the same as 0.
Config all_is_zero(Config blocks) {
  if (blocks.contains("size") && blocks["size"] == "all") blocks["size"] = 0;
  return blocks;
}

std::vector<Section> make_sections() {
  return {list_of<Metric>("metrics", &Recipe::metrics),
          list_of<Regularizer>("regularizers", &Recipe::regularizers),
          plain("data", &Recipe::data),
          plain("events", &Recipe::events),
          plain("table", &Recipe::table),
          part<Encoder>("encoder", &Recipe::encoder, "direct"),
          part<NetworkBuilder>("network", &Recipe::network),
          part_of_layers<Neuron>("neuron", &Recipe::neuron, "lif"),
          readout(),
          part_of_layers<Rule>("rule", &Recipe::rule, "bptt"),
          rules(),
          part<Schedule>("schedule", &Recipe::schedule, "whole"),
          plain("blocks", &Recipe::blocks, all_is_zero),
          part<Feedback>("feedback", &Recipe::feedback, "transpose"),
          part<Head>("head", &Recipe::head, "linear"),
          part<LearningSignal>("learning_signal", &Recipe::learning_signal, "heads"),
          part<Objective>("objective", &Recipe::objective),
          plain("teacher", &Recipe::teacher),
          part<Optimizer>("optimizer", &Recipe::optimizer, "adamw"),
          part<LearningRate>("learning_rate", &Recipe::learning_rate, "constant"),
          plain("compute", &Recipe::compute),
          plain("parallel", &Recipe::parallel),
          plain("init", &Recipe::init),
          plain("tandem", &Recipe::tandem),
          plain("train", &Recipe::train),
          plain("binarize", &Recipe::binarize),
          plain("cost", &Recipe::cost),
          free_text()};
}

}  // namespace

const std::vector<Section>& recipe_sections() {
  static const std::vector<Section> sections = make_sections();
  return sections;
}

bool is_part_section(const std::string& name) {
  const auto& all = recipe_sections();
  return std::any_of(all.begin(), all.end(), [&](const Section& s) { return s.part && s.name == name; });
}

}  // namespace spiketrain
