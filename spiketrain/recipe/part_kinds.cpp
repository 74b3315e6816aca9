#include "spiketrain/recipe/part_kinds.h"

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/head.h"
#include "spiketrain/core/learning_signal.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/optimizer.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"

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
  for (PartKind inner : {kind<Metric>(false), kind<Synapse>(false), kind<Norm>(false), kind<Quantizer>(false),
                         kind<Stage>(false)})
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

}  // namespace spiketrain
