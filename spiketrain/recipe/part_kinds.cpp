#include "spiketrain/recipe/part_kinds.h"

#include "spiketrain/base/text.h"
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/head.h"
#include "spiketrain/core/learning_signal.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/optimizer.h"
#include "spiketrain/core/regularizer.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/recipe/recipe.h"

namespace spiketrain {
namespace {

template <class Base>
PartKind kind(bool section) {
  const std::string word = Registry<Base>::kind();
  return {word, word + "s", section, [] {
            std::vector<PartDoc> parts;
            for (const auto* entry : Registry<Base>::get().entries())
              parts.push_back({entry->name, entry->doc, entry->options()});
            return parts;
          }};
}

std::vector<PartKind> make_kinds() {
  std::vector<PartKind> kinds = {kind<Encoder>(true),   kind<NetworkBuilder>(true), kind<Neuron>(true),
                                 kind<Rule>(true),      kind<Schedule>(true),       kind<Feedback>(true),
                                 kind<Head>(true),      kind<LearningSignal>(true), kind<Objective>(true),
                                 kind<Optimizer>(true), kind<LearningRate>(true)};
  for (PartKind inner : {kind<Metric>(false), kind<Regularizer>(false), kind<Synapse>(false),
                         kind<Norm>(false), kind<Quantizer>(false), kind<Stage>(false)})
    kinds.push_back(std::move(inner));
  for (PartKind& k : kinds)
    if (k.word == "feedback") k.plural = k.word;
  return kinds;
}

}  // namespace

const std::vector<PartKind>& part_kinds() {
  static const std::vector<PartKind> kinds = make_kinds();
  return kinds;
}

std::vector<OptionPlace> option_places() {
  std::vector<OptionPlace> places;
  for (const auto& [section, options] : recipe_options())
    for (const OptionDoc& option : options) places.push_back({section, "", true, option});
  for (const PartKind& kind : part_kinds())
    for (const PartDoc& part : kind.parts())
      for (const OptionDoc& option : part.options)
        places.push_back({kind.word, part.name, kind.section, option});
  return places;
}

std::vector<std::string> places_of(const std::string& option) {
  std::vector<std::string> keys;
  std::vector<std::vector<std::string>> parts;  // that have such a key
  for (const OptionPlace& place : option_places()) {
    if (!place.in_recipe || place.option.name != option) continue;
    const std::string key = (place.section.empty() ? "" : place.section + ".") + option;
    if (keys.empty() || keys.back() != key) {
      keys.push_back(key);
      parts.emplace_back();
    }
    if (!place.part.empty()) parts.back().push_back(place.part);
  }
  for (size_t k = 0; k < keys.size(); ++k)
    if (!parts[k].empty()) keys[k] += " of " + join(parts[k]);
  return keys;
}

}  // namespace spiketrain
