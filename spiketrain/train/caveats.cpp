#include "spiketrain/train/caveats.h"

#include <algorithm>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/norm.h"

namespace spiketrain {
namespace {

/// What the rules of the layers below the readout, in its block, say of it.
void add_rules(const Training& training, std::vector<std::string>& list) {
  const Network& network = training.network();
  const auto readout = std::dynamic_pointer_cast<Layer>(network.nodes().back().stage);
  if (!readout || !readout->neuron()->parameters().empty()) return;  // what it learns is not known before
  for (const auto& layer : network.layers(network.blocks() - 1, false)) {
    if (layer == readout) continue;
    const RuleP& rule = training.learner->parts().method.at(layer->slot());
    const std::string line = rule ? rule->caveat(*readout->neuron()) : "";
    if (!line.empty() && std::find(list.begin(), list.end(), line) == list.end()) list.push_back(line);
  }
}

}  // namespace

std::vector<std::string> caveats(const Training& training) {
  std::vector<std::string> list;
  const Network& network = training.network();
  const Plan plan = training.learner->plan();
  if (const int64_t steps = updates(plan); steps > 1) {
    list.push_back(
        str("the optimizer steps ", steps,
            " times per batch; compare with other windows at equal numbers of steps, see optimizer_steps in "
            "metrics.jsonl"));
  }
  list.insert(list.end(), training.caveats.begin(), training.caveats.end());
  if (network.blocks() > 1 && training.options.clip_norm > 0)
    list.push_back("gradients are clipped block by block, not all together as end to end");
  const auto modules = network.modules();
  const bool norm = std::any_of(modules.begin(), modules.end(),
                                [](const auto& m) { return std::dynamic_pointer_cast<Norm>(m) != nullptr; });
  if (norm && plan.size() > 1) {
    list.push_back(str("normalisation takes its statistics over each window of ", plan[0].steps(),
                       " steps, not over all ", training.learner->parts().steps));
  }
  add_rules(training, list);
  return list;
}

}  // namespace spiketrain
