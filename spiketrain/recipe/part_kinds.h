// Every kind of registered part, once: for whoever lists them or looks an option up.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "spiketrain/base/options.h"

namespace spiketrain {

/// A registered part as `spiketrain list` shows it.
struct PartDoc {
  std::string name, doc;
  std::vector<OptionDoc> options;
};

struct PartKind {
  std::string word;    ///< "neuron", as in messages
  std::string plural;  ///< "neurons", as in `spiketrain list neurons`
  bool section;        ///< a section of a recipe has this name
  std::function<std::vector<PartDoc>()> parts;
};

/// In the order of a recipe, then those that a recipe names inside others.
const std::vector<PartKind>& part_kinds();

/// An option of a recipe's section or of a part.
struct OptionPlace {
  std::string section;  ///< "data", "neuron"; "": the top level
  std::string part;     ///< "lif"; "": of the section itself
  bool in_recipe;       ///< a recipe has such a section
  OptionDoc option;
};
/// All of them.
std::vector<OptionPlace> option_places();
/// Where a recipe may have an option of this name: "data.batch", "neuron.leak of lif, eif".
std::vector<std::string> places_of(const std::string& option);

}  // namespace spiketrain
