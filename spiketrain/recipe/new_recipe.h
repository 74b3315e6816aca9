// A first recipe from a few answers, with a comment on every choice: `spiketrain new`.
// Tests: unit/new_recipe_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/data/source.h"

namespace spiketrain {

struct NewRecipe {
  std::string data = "glyphs", rule = "bptt", size = "small";
  std::string folder;  ///< of data set event-folder

  /// "small", "medium", "large"
  static std::vector<std::string> sizes();
};

/// TOML, which fits the data and is checked.  The data are opened below `data_dir` if they are files and it is not empty; they must be where only
/// the files know shape and classes.  UsageError for names that do not exist or do not go together; DataError as open_dataset().
std::string new_recipe(const NewRecipe& answers, const std::string& data_dir);

}  // namespace spiketrain
