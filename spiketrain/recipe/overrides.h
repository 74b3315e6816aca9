// What a command line changes of a recipe, and what it should have said.
// A section given by the name of a part, neuron=lif, is that part with its defaults.  neuron.name=lif changes the name
// alone, so options of the part before stay behind, and rule and objective may not fit the new one: then
// working_overrides() looks for the command that was meant.
// Tests: unit/overrides_test.cpp.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "spiketrain/recipe/recipe.h"

namespace spiketrain {

/// "section.key=value" of --set; "section.key=value1,value2" of --over.
struct Overrides {
  std::vector<std::string> sets, overs;
};

/// The recipe in `config` after the assignments of --set.  UsageError as apply_set() and make_recipe(), and if a section
/// follows one of its options.
Recipe overridden(Config config, const std::vector<std::string>& sets);

/// The first of a few changes of `given` with which `check` throws no UsageError: parts by their section instead of
/// by `.name`, and then the rule bptt, the objective rate_ce, or both, unless `given` says what they are.  None if
/// `given` names no part, if `check` accepts it as it is, or if nothing helps.
std::optional<Overrides> working_overrides(const Overrides& given,
                                           const std::function<void(const Overrides&)>& check);

}  // namespace spiketrain
