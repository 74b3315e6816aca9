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

}  // namespace spiketrain
