#include "spiketrain/recipe/recipe.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "spiketrain/base/file.h"
#include "spiketrain/base/synonyms.h"
#include "spiketrain/base/text.h"
#include "spiketrain/base/unknown_option.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/regularizer.h"
#include "spiketrain/recipe/part_kinds.h"
#include "spiketrain/recipe/sections.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain {
namespace {

constexpr uint64_t kMaxRecipeBytes = 1 << 20;

/// Sections of earlier revisions, with the name they have now.
constexpr std::pair<const char*, const char*> kRenamed[] = {{"lr", "learning_rate"}};

OptionDoc metrics_doc() {
  return {
      "metrics", "list",
      "what is reported, a list of names or of tables with name and options; the first decides which epoch is "
      "best; []: accuracy for classes, mse for values and sequences",
      join(Registry<Metric>::get().names(), " | "), Config::array()};
}

OptionDoc regularizers_doc() {
  return {"regularizers", "list",
          "penalties on the activity of spiking layers, added to the loss: a list of names or of tables with "
          "name and options",
          join(Registry<Regularizer>::get().names(), " | "), Config::array()};
}

std::vector<OptionDoc> top_options() {
  std::vector<OptionDoc> options = list_options<Recipe>();
  options.push_back(metrics_doc());
  options.push_back(regularizers_doc());
  return options;
}

}  // namespace

void DataSection::check() const {
  ST_CHECK(mean.size() <= 1 && std.size() <= 1, "data.mean, data.std: expected [] or one value");
}

void BlockSection::check() const {
  ST_CHECK(partition.empty() || size == 0, "blocks: expected either size or partition, got both");
}

std::vector<int64_t> BlockSection::sizes(int64_t layers) const {
  ST_CHECK(size <= layers, "blocks.size: expected 1 to ", layers,
           ", the hidden layers of the network, or \"all\"; got ", size);
  std::vector<int64_t> sizes = partition;
  const int64_t each = size == 0 ? layers : size;
  for (int64_t left = partition.empty() ? layers : 0; left > 0; left -= each)
    sizes.push_back(std::min(each, left));
  if (output == "joined") return sizes;
  ST_CHECK(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) == layers,
           "blocks.partition: expected sizes that add up to the ", layers,
           " hidden layers; the output layer is a block of its own (blocks.output = \"apart\")");
  sizes.push_back(1);
  return sizes;
}

namespace {

Recipe read_recipe(const Config& config) {
  ST_CHECK(config.is_object(), "recipe: expected a table");
  for (const auto& [before, now] : kRenamed)  // a value of that name is no section; top.finish() knows it
    ST_CHECK(!config.contains(before) || !config[before].is_object(), "recipe: the section [", before,
             "] is now called [", now, "]");
  std::vector<std::string> names;
  for (const Section& section : recipe_sections()) names.push_back(section.name);
  Recipe recipe;
  OptionReader top(config, "recipe");
  recipe.visit(top);
  top.finish(names);
  ST_CHECK(!config.contains("name"), "recipe: unknown option 'name'");
  for (const Section& section : recipe_sections()) section.read(config, recipe);
  recipe.data.check();
  recipe.blocks.check();
  recipe.init.check();
  recipe.binarize.check();
  recipe.tandem.check();
  return recipe;
}

}  // namespace

Recipe make_recipe(const Config& config) {
  try {
    return read_recipe(with_present_names(config));
  } catch (const UnknownOption& error) {
    const std::vector<std::string> places = places_of(error.option);
    if (places.empty() || !our_word(error.option, {}).empty()) throw;
    throw UsageError(
        str(error.owner, ": unknown option '", error.option, "'; a recipe has ", join(places, ", or ")));
  }
}

Recipe parse_recipe(const std::string& text, const std::string& origin) {
  return make_recipe(parse_toml(text, origin));
}

Config load_config(const std::string& path) {
  std::error_code error;
  ST_CHECK(std::filesystem::exists(path, error) || error, "recipe ", path,
           ": no such file; the folder recipes/ holds some, and docs/recipes.md says what one is");
  ST_CHECK(!std::filesystem::is_directory(path, error), "recipe ", path,
           ": is a folder; expected a TOML file, such as recipes/quickstart.toml");
  const Bytes bytes = read_file(path, kMaxRecipeBytes);
  return parse_toml(std::string(bytes.begin(), bytes.end()), path);
}

Recipe load_recipe(const std::string& path) { return make_recipe(load_config(path)); }

void apply_set(Config& config, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  ST_CHECK(equals != std::string::npos && equals > 0, "--set ", assignment, ": expected section.key=value");
  Config* at = &config;
  std::string rest = assignment.substr(0, equals);
  const bool part = is_part_section(rest.substr(0, rest.find('.')));
  for (bool last = false; !last;) {
    const size_t dot = rest.find('.');
    last = dot == std::string::npos;
    const std::string key = rest.substr(0, dot);
    ST_CHECK(!key.empty(), "--set ", assignment, ": expected section.key=value");
    if (part && at->is_string()) *at = Config{{"name", *at}};  // a part by its name alone
    ST_CHECK(at->is_object(), "--set ", assignment, ": what comes before '.", key,
             "' is a value, not a section");
    at = &(*at)[key];
    if (!last && at->is_null()) *at = Config::object();
    rest = last ? "" : rest.substr(dot + 1);
  }
  const std::string value = assignment.substr(equals + 1);
  *at = parse_toml_value(value);
  // A table or list that is none would pass for a name.
  const bool meant_toml = !value.empty() && (value[0] == '{' || value[0] == '[');
  const bool name_and_options = part && value.find('=') != std::string::npos;
  ST_CHECK(!at->is_string() || *at != value || !(meant_toml || name_and_options), "--set ", assignment,
           ": expected TOML, as in '{name = \"lif\", leak = 0.9}' or [\"a\", \"b\"], got ", value);
}

Config resolve(const Recipe& recipe) {
  Config config = write_options(recipe);
  for (const Section& section : recipe_sections()) {
    Config value = section.write(recipe);
    if (!value.is_null()) config[section.name] = std::move(value);
  }
  return config;
}

OptionDocs recipe_options() {
  const Recipe defaults;
  OptionDocs docs = {{"", top_options()}};
  for (const Section& section : recipe_sections())
    if (!section.part) docs.emplace_back(section.name, section.options(defaults));
  return docs;
}

OptionDocs resolved_options(const Recipe& recipe) {
  OptionDocs docs = {{"", top_options()}};
  for (const Section& section : recipe_sections()) docs.emplace_back(section.name, section.options(recipe));
  return docs;
}

}  // namespace spiketrain
