// spiketrain help [COMMAND | OPTION]: a command's help, or every place where a recipe option of that name
// exists.
#include <iostream>
#include <set>

#include "apps/spiketrain/commands.h"
#include "spiketrain/recipe/part_kinds.h"
#include "spiketrain/recipe/recipe.h"

namespace spiketrain::cli {
namespace {

struct Place {
  std::string owner;
  OptionDoc option;
};

std::vector<Place> all_options() {
  std::vector<Place> places;
  for (const auto& [section, options] : recipe_options()) {
    for (const OptionDoc& option : options)
      places.push_back({section.empty() ? "top level" : "[" + section + "]", option});
  }
  for (const PartKind& kind : part_kinds()) {
    for (const PartDoc& part : kind.parts()) {
      const std::string owner =
          kind.section ? "[" + kind.word + "] name = \"" + part.name + "\"" : kind.word + " " + part.name;
      for (const OptionDoc& option : part.options) places.push_back({owner, option});
    }
  }
  return places;
}

void help_on_option(CLI::App& app, const std::string& word) {
  const size_t dot = word.rfind('.');
  const std::string name = dot == std::string::npos ? word : word.substr(dot + 1);
  const std::vector<Place> places = all_options();
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> known;
  for (const Place& place : places) {
    known.push_back(place.option.name);
    if (place.option.name != name) continue;
    rows.push_back(
        {place.owner, place.option.type, "= " + place.option.default_value.dump(), explain(place.option)});
  }
  if (rows.empty()) {
    for (const CLI::App* sub : app.get_subcommands({})) known.push_back(sub->get_name());
    throw UsageError(
        str("help: no command or recipe option is called '", word, "'", did_you_mean(word, known)));
  }
  std::cout << name << '\n';
  print_table(rows, 2);
}

}  // namespace

void add_help(CLI::App& app, int& exit_code) {
  auto word = std::make_shared<std::string>();
  CLI::App* sub = app.add_subcommand("help", "explain a command or a recipe option");
  sub->add_option("what", *word, "a command, or an option such as tau_m or train.clip_norm");
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
    help_on_option(app, *word);
  });
}

}  // namespace spiketrain::cli
