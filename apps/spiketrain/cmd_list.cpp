// spiketrain list: what is built in, with every option; generated from the registries, so it cannot be out of
// date.
#include <functional>
#include <iostream>
#include <map>

#include "apps/spiketrain/commands.h"
#include "spiketrain/core/head.h"
#include "spiketrain/data/source.h"
#include "spiketrain/engine/learner.h"
#include "spiketrain/recipe/part_kinds.h"
#include "spiketrain/recipe/recipe.h"

namespace spiketrain::cli {
namespace {

void print_options(const std::vector<OptionDoc>& options) {
  std::vector<std::vector<std::string>> rows;
  for (const OptionDoc& option : options) {
    rows.push_back({option.name, option.type, "= " + option.default_value.dump(), explain(option)});
  }
  print_table(rows, 4);
}

/// All parts of a kind, or the one of this name.
void list_parts(const PartKind& kind, const std::string& name) {
  std::vector<std::string> names;
  bool found = name.empty();
  for (const PartDoc& part : kind.parts()) {
    names.push_back(part.name);
    if (!name.empty() && part.name != name) continue;
    print_part(part);
    found = true;
  }
  ST_CHECK(found, "list ", kind.plural, ": unknown ", kind.word, " '", name, "'",
           did_you_mean(name, names, "."), " Available: ", join(names));
}

void list_data() {
  std::vector<std::vector<std::string>> rows;
  for (const DatasetInfo& info : dataset_infos()) {
    rows.push_back({info.name, info.files ? "files" : "built in", info.doc});
  }
  print_table(rows);
  for (const auto& [section, options] : recipe_options()) {
    if (section != "data" && section != "events" && section != "table") continue;
    std::cout << "[" << section << "]\n";
    print_options(options);
  }
}

void list_recipe() {
  for (const auto& [section, options] : recipe_options()) {
    std::cout << (section.empty() ? std::string("top level") : "[" + section + "]") << '\n';
    print_options(options);
  }
}

std::shared_ptr<Neuron> built_neuron(const std::string& name) {
  const auto neuron = make<Neuron>({{"name", name}});
  neuron->build({4});  // complex ones come in pairs, for either sign
  return neuron;
}

/// Names of what a rule might work with.
template <class T>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto* entry : Registry<T>::get().entries()) names.push_back(entry->name);
  return names;
}

/// One table: `cell(rule, column)`.
void print_compat(const std::string& what, const std::vector<std::string>& columns,
                  const std::function<std::string(const std::string&, const std::string&)>& cell) {
  std::vector<std::vector<std::string>> rows = {{"rule \\ " + what}};
  rows[0].insert(rows[0].end(), columns.begin(), columns.end());
  for (const std::string& rule : names_of<Rule>()) {
    std::vector<std::string> row = {rule};
    for (const std::string& column : columns) row.push_back(cell(rule, column));
    rows.push_back(row);
  }
  print_table(rows);
}

/// A neuron that a rule works with: lif, if it does, or the first.
Config neuron_for(const Rule& rule) {
  if (!rule.neuron().is_null()) return rule.neuron();
  std::string name = "lif";
  for (const std::string& other : names_of<Neuron>()) {
    if (compatible(rule, *built_neuron(name))) break;
    name = other;
  }
  return {{"name", name}};
}

/// Of the table of neurons.
std::string neuron_cell(const std::string& rule_name, const std::string& neuron) {
  const RuleP rule = make<Rule>({{"name", rule_name}});
  if (compatible(*rule, *built_neuron(neuron))) return "yes";
  const Config own = rule->neuron();
  return !own.is_null() && own.at("name") == neuron ? "set" : "-";
}

/// A small network that learns by a rule, with one thing that the learner may refuse.
struct Trial {
  std::string rule, schedule = "whole", feedback = "transpose", signal = "heads", spec = "4-4-3",
                    norm = "none";
  bool accepted() const {
    const Config neuron = neuron_for(*make<Rule>({{"name", rule}}));
    NetworkContext context;
    context.input = {6};
    context.output = {3};
    context.neuron = context.readout = [&] { return make<Neuron>(neuron); };
    if (feedback != "transpose") context.feedback = {{"name", feedback}};
    Config options = {{"name", "spec"}, {"spec", spec}};
    if (norm != "none") options["norm"] = norm;
    try {
      LearnerParts parts;
      parts.network = make<NetworkBuilder>(options)->build(context);
      parts.network->partition({1, 1});
      parts.network->attach_head(0, make<Head>("linear")->build({4}, {3}, make<Neuron>(neuron)));
      parts.method = {make<Rule>({{"name", rule}})};
      parts.objective = make<Objective>("rate_ce");
      parts.schedule = make<Schedule>({{"name", schedule}});
      parts.signal = make<LearningSignal>({{"name", signal}});
      parts.steps = 4;
      const Learner learner(parts);
      return true;
    } catch (const UsageError&) {
      return false;
    }
  }
};

/// Which rule works with which neuron, schedule, norm, feedback and learning signal, all at their defaults, and in recurrent
/// layers: as the learner says.
void list_compat() {
  print_compat("neuron", names_of<Neuron>(), neuron_cell);
  for (const std::string& name : names_of<Rule>()) {
    const RuleP rule = make<Rule>({{"name", name}});
    if (!rule->neuron().is_null()) std::cout << "set: " << name << " with " << rule->otherwise() << '\n';
  }
  const auto table = [](const char* what, const std::vector<std::string>& names, std::string Trial::*member) {
    std::cout << '\n';
    print_compat(what, names, [&](const std::string& rule, const std::string& name) {
      Trial trial;
      trial.rule = rule;
      trial.*member = name;
      return trial.accepted() ? "yes" : "-";
    });
  };
  table("schedule", names_of<Schedule>(), &Trial::schedule);
  table("norm", names_of<Norm>(), &Trial::norm);
  table("feedback", names_of<Feedback>(), &Trial::feedback);
  table("learning signal", names_of<LearningSignal>(), &Trial::signal);
  table("network", {"4R-4-3", "4R1-4-3"}, &Trial::spec);
}

/// What can be listed: a function of the name of one part, or of "".
std::map<std::string, std::function<void(const std::string&)>> lists() {
  const auto whole = [](const char* what, void (*print)()) {
    return [=](const std::string& name) {
      ST_CHECK(name.empty(), "list ", what, ": no name expected after it, got '", name, "'");
      print();
    };
  };
  std::map<std::string, std::function<void(const std::string&)>> table = {
      {"data", whole("data", list_data)}, {"recipe", whole("recipe", list_recipe)}};
  for (const PartKind& kind : part_kinds())
    table[kind.plural] = [&kind](const std::string& name) { list_parts(kind, name); };
  return table;
}

}  // namespace

void print_part(const PartDoc& part) {
  std::cout << part.name << "  " << part.doc << '\n';
  print_options(part.options);
}

void add_list(CLI::App& app, int& exit_code) {
  auto what = std::make_shared<std::string>();
  auto name = std::make_shared<std::string>();
  auto compat = std::make_shared<bool>(false);
  CLI::App* sub = app.add_subcommand("list", "show what is built in, with every option and its default");
  std::vector<std::string> names;
  for (const auto& item : lists()) names.push_back(item.first);
  sub->add_option("what", *what, join(names))->check(CLI::IsMember(names));
  sub->add_option("name", *name, "only the part of this name");
  sub->add_flag("--compat", *compat,
                "which rule works with which neuron, schedule, norm, feedback and learning signal");
  sub->callback([what, name, compat, names, &exit_code] {
    ST_CHECK(*compat || !what->empty(), "list: expected one of ", join(names), ", or --compat");
    if (!what->empty()) lists().at (*what)(*name);
    if (*compat) list_compat();
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
