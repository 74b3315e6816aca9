#include "spiketrain/recipe/overrides.h"

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/recipe/sections.h"

namespace spiketrain {
namespace {

const std::string kName = ".name";

/// With nearly every neuron and every target of classes these two work.
constexpr const char* kAnyRule = "rule=bptt";
constexpr const char* kAnyObjective = "objective=rate_ce";

std::string key_of(const std::string& assignment) { return assignment.substr(0, assignment.find('=')); }

bool ends_with_name(const std::string& key) {
  return key.size() > kName.size() && key.compare(key.size() - kName.size(), kName.size(), kName) == 0;
}

/// "neuron.name=lif" or "neuron=lif".
bool names_part(const std::string& assignment) {
  const std::string key = key_of(assignment);
  return is_part_section(key.substr(0, key.find('.'))) &&
         (ends_with_name(key) || key.find('.') == std::string::npos);
}

/// "neuron.name=lif" -> "neuron=lif", and those first: they replace what is said of a section before them.
std::vector<std::string> by_section(std::vector<std::string> list) {
  for (std::string& item : list) {
    const size_t equals = item.find('=');
    if (names_part(item) && ends_with_name(key_of(item)))
      item = item.substr(0, equals - kName.size()) + item.substr(equals);
  }
  std::stable_partition(list.begin(), list.end(), names_part);
  return list;
}

bool speaks_of(const Overrides& given, const std::string& section) {
  const auto about = [&](const std::string& item) {
    const std::string key = key_of(item);
    return key.substr(0, key.find('.')) == section;
  };
  return std::any_of(given.sets.begin(), given.sets.end(), about) ||
         std::any_of(given.overs.begin(), given.overs.end(), about);
}

/// Whether a swept section would replace an option that --set gives it.
bool loses_options(const Overrides& overrides) {
  for (const std::string& over : overrides.overs) {
    const std::string inside = key_of(over) + ".";
    for (const std::string& set : overrides.sets)
      if (set.compare(0, inside.size(), inside) == 0) return true;
  }
  return false;
}

bool passes(const Overrides& overrides, const std::function<void(const Overrides&)>& check) {
  try {
    check(overrides);
    return true;
  } catch (const UsageError&) {  // the caller has the first error; those of other tries are of no use
    return false;
  }
}

/// A whole section replaces what was said of it before, which nobody means.
void check_order(const std::vector<std::string>& sets) {
  for (size_t i = 0; i < sets.size(); ++i) {
    const std::string inside = key_of(sets[i]) + ".";
    for (size_t before = 0; before < i; ++before)
      ST_CHECK(sets[before].compare(0, inside.size(), inside) != 0, "--set ", sets[i], " takes back --set ",
               sets[before], ", which comes before it; give ", sets[i], " first");
  }
}

}  // namespace

Recipe overridden(Config config, const std::vector<std::string>& sets) {
  check_order(sets);
  for (const std::string& set : sets) apply_set(config, set);
  return make_recipe(config);
}

std::optional<Overrides> working_overrides(const Overrides& given,
                                           const std::function<void(const Overrides&)>& check) {
  const bool parts = std::any_of(given.sets.begin(), given.sets.end(), names_part) ||
                     std::any_of(given.overs.begin(), given.overs.end(), names_part);
  if (!parts || passes(given, check)) return std::nullopt;
  const Overrides replaced = {by_section(given.sets), by_section(given.overs)};
  if (loses_options(replaced)) return std::nullopt;
  std::vector<std::vector<std::string>> more = {{}};
  const bool rule = !speaks_of(given, "rule"), objective = !speaks_of(given, "objective");
  if (rule) more.push_back({kAnyRule});
  if (objective) more.push_back({kAnyObjective});
  if (rule && objective) more.push_back({kAnyRule, kAnyObjective});
  for (const auto& added : more) {
    Overrides candidate = replaced;
    candidate.sets.insert(candidate.sets.end(), added.begin(), added.end());
    if (passes(candidate, check)) return candidate;
  }
  return std::nullopt;
}

}  // namespace spiketrain
