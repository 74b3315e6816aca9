// spiketrain help [COMMAND | PART | OPTION]: a command's help, a part with its options, every place where a
// recipe option of that name exists, and every command with such an option.
#include <algorithm>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/synonyms.h"
#include "spiketrain/recipe/part_kinds.h"
#include "spiketrain/recipe/recipe.h"
#include "spiketrain/recipe/sections.h"

namespace spiketrain::cli {
namespace {

/// As people read it.
std::string owner_of(const OptionPlace& place) {
  if (place.part.empty()) return place.section.empty() ? "top level" : "[" + place.section + "]";
  return place.in_recipe ? "[" + place.section + "] name = \"" + place.part + "\""
                         : place.section + " " + place.part;
}

/// Parts called `word`, each under its kind; their names go to `known`.  False if there is none.
bool help_on_parts(const std::string& word, std::vector<std::string>& known) {
  bool found = false;
  for (const PartKind& kind : part_kinds()) {
    for (const PartDoc& part : kind.parts()) {
      known.push_back(part.name);
      if (part.name != word) continue;
      std::cout << kind.word << ' ';
      print_part(part);
      found = true;
    }
  }
  return found;
}

/// The section or the kind of part that the options of a recipe's table are listed under: "rule" for "rules.block0", "norm" for
/// "network.norm".
std::string listed_under(const std::string& table) {
  if (table == "readout") return "neuron";
  if (table.rfind("rules.", 0) == 0) return "rule";
  const size_t dot = table.find('.');
  return dot != std::string::npos && is_part_section(table.substr(0, dot)) ? table.substr(dot + 1) : table;
}

/// Every place of an option called `word`, or of one in a table of a recipe ("neuron.leak"); the names of all go to `known`.
/// False if there is none.
bool help_on_option(const std::string& word, std::vector<std::string>& known) {
  const size_t dot = word.rfind('.');
  const bool anywhere = dot == std::string::npos;
  const std::string name = anywhere ? word : word.substr(dot + 1);
  const std::string section = anywhere ? "" : listed_under(word.substr(0, dot));
  std::vector<std::vector<std::string>> rows;
  for (const OptionPlace& place : option_places()) {
    known.push_back(place.option.name);
    if (place.option.name != name || !(anywhere || place.section == section)) continue;
    rows.push_back({owner_of(place), place.option.type, "= " + place.option.default_value.dump(),
                    explain(place.option)});
  }
  if (rows.empty()) return false;
  std::cout << name << '\n';
  print_table(rows, 2);
  return true;
}

/// Options "--word" of commands and of their actions, a line each; the names of all go to `known`.
void add_flags(const CLI::App& of, const std::string& path, const std::string& word,
               std::vector<std::vector<std::string>>& rows, std::vector<std::string>& known) {
  for (const CLI::Option* option : of.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      known.push_back(name);
      if (name == word || "--" + name == word)
        rows.push_back({path + " --" + name, option->get_description()});
    }
  }
  for (const CLI::App* sub : of.get_subcommands({}))
    add_flags(*sub, path + " " + sub->get_name(), word, rows, known);
}

bool help_on_flags(const CLI::App& app, const std::string& word, std::vector<std::string>& known) {
  std::vector<std::vector<std::string>> rows;
  add_flags(app, "spiketrain", word, rows, known);
  if (rows.empty()) return false;
  print_table(rows);
  return true;
}

void help_on(const CLI::App& app, const std::string& word) {
  std::vector<std::string> known;
  const bool part = help_on_parts(word, known), option = help_on_option(word, known),
             flag = help_on_flags(app, word, known);
  if (part || option || flag) {  // a word of another framework may be an option of a part that is not meant
    const std::string ours = our_word(word, known);
    if (ours.find(" is called ") != std::string::npos) std::cout << ours << '\n';
    return;
  }
  for (const CLI::App* sub : app.get_subcommands({})) known.push_back(sub->get_name());
  throw UsageError(str("help: no command, part or option is called '", word, "'", did_you_mean(word, known)));
}

}  // namespace

std::vector<std::string> recipe_keys(const std::string& option) {
  std::vector<std::string> keys;
  for (const OptionPlace& place : option_places()) {
    const std::string key = (place.section.empty() ? "" : place.section + ".") + option;
    const bool known = std::find(keys.begin(), keys.end(), key) != keys.end();
    if (place.in_recipe && place.option.name == option && !known) keys.push_back(key);
  }
  return keys;
}

void add_help(CLI::App& app, int& exit_code) {
  auto word = std::make_shared<std::string>();
  CLI::App* sub = app.add_subcommand("help", "explain a command, a part or an option");
  sub->add_option("what", *word,
                  "a command, a part such as lif, or an option such as tau_m, train.clip_norm or confusion");
  sub->callback([&app, word, &exit_code] {
    exit_code = kOk;
    if (word->empty()) {
      // app.help() would be that of the command at work, this one.
      std::cout << app.get_formatter()->make_help(&app, "spiketrain", CLI::AppFormatMode::Normal);
      return;
    }
    for (CLI::App* command : app.get_subcommands({})) {
      if (command->get_name() != *word) continue;
      std::cout << command->help("spiketrain");
      for (const CLI::App* action : command->get_subcommands({}))
        std::cout << '\n' << action->help("spiketrain " + *word);
      return;
    }
    help_on(app, *word);
  });
}

}  // namespace spiketrain::cli
