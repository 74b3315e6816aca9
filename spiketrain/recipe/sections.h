// The sections of a recipe, once: how each is read, written and documented.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

struct Section {
  std::string name;
  /// Reads it from the whole configuration; defaults if it is absent.  UsageError as make_recipe().
  std::function<void(const Config& config, Recipe& recipe)> read;
  /// Its resolved value; null: left out.
  std::function<Config(const Recipe&)> write;
  /// Its options; of a part those of the one that the recipe names.
  std::function<std::vector<OptionDoc>(const Recipe&)> options;
  bool part = false;  ///< it names a registered part
};

/// In the order of a recipe; a section may look at those before it.
const std::vector<Section>& recipe_sections();

/// Whether a section of this name holds parts.
bool is_part_section(const std::string& name);

}  // namespace spiketrain
