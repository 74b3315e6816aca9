// spiketrain list: what is built in, with every option; generated from the registries, so it cannot be out of
// date.
#include <functional>
#include <iostream>
#include <map>

#include "apps/spiketrain/commands.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/data/source.h"
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
    if (section != "data" && section != "events") continue;
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

/// Which rule works with which neuron, both at their defaults.
void list_compat() {
  std::vector<std::vector<std::string>> rows = {{"rule \\ neuron"}};
  const auto neurons = Registry<Neuron>::get().entries();
  for (const auto* neuron : neurons) rows[0].push_back(neuron->name);
  for (const auto* rule : Registry<Rule>::get().entries()) {
    std::vector<std::string> row = {rule->name};
    const auto made = rule->make(Config::object());
    for (const auto* neuron : neurons) {
      const auto built = neuron->make(Config::object());
      built->build({1});
      row.emplace_back(compatible(*made, *built) ? "yes" : "-");
    }
    rows.push_back(row);
  }
  print_table(rows);
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
  sub->add_flag("--compat", *compat, "which rule works with which neuron");
  sub->callback([what, name, compat, names, &exit_code] {
    ST_CHECK(*compat || !what->empty(), "list: expected one of ", join(names), ", or --compat");
    if (!what->empty()) lists().at (*what)(*name);
    if (*compat) list_compat();
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
