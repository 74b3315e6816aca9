#include "spiketrain/train/rates.h"

#include <algorithm>

#include "spiketrain/base/text.h"

namespace spiketrain {

std::vector<LayerRate> layer_rates(const Network& network, const std::vector<Tally::Count>& counts) {
  std::vector<LayerRate> rates;
  const std::vector<Network::Node>& nodes = network.nodes();
  const auto append = [&](int64_t b, bool head) {
    for (size_t n = 0; n < nodes.size(); ++n) {
      if ((nodes[n].head_of >= 0) != head || network.block_of(static_cast<int64_t>(n)) != b) continue;
      for (const StageInfo& row : nodes[n].stage->describe()) {
        const auto slot = static_cast<size_t>(row.slot);
        if (row.slot < 0 || slot >= counts.size() || counts[slot].sites == 0) continue;
        const int64_t levels = row.neuron ? std::max<int64_t>(1, row.neuron->emits().levels) : 1;
        rates.push_back({row.spec, row.slot, counts[slot].rate(), nodes[n].name, levels});
      }
    }
  };
  for (int64_t b = 0; b < network.blocks(); ++b) {
    append(b, false);
    append(b, true);
  }
  return rates;
}

void add_counts(std::vector<Tally::Count>& sum, const std::vector<Tally::Count>& counts) {
  sum.resize(std::max(sum.size(), counts.size()));
  for (size_t slot = 0; slot < counts.size(); ++slot) {
    sum[slot].spikes += counts[slot].spikes;
    sum[slot].sites += counts[slot].sites;
  }
}

std::vector<std::string> RateWarnings::of(const std::vector<LayerRate>& rates) {
  std::vector<std::string> silent, busy, warnings;
  for (const LayerRate& layer : rates) {
    const bool dead = layer.rate < dead_below_;
    if (!dead && layer.rate <= saturated_above_ * static_cast<double>(layer.levels)) continue;
    if (!warned_.insert(layer.slot).second) continue;
    const std::string name = layer.node.empty() ? layer.spec : layer.node + " " + layer.spec;
    (dead ? silent : busy).push_back(str(name, " (rate ", layer.rate, ")"));
  }
  const auto warn = [&](const std::vector<std::string>& layers, const char* one, const char* more,
                        const std::string& advice) {
    if (layers.empty()) return;
    warnings.push_back(str(layers.size() == 1 ? "layer " : "layers ", join(layers),
                           layers.size() == 1 ? one : more, advice.empty() ? "" : ": ", advice));
  };
  warn(silent, " is nearly silent and hardly learns", " are nearly silent and hardly learn", advice_.silent);
  warn(busy, " fires nearly always and tells little", " fire nearly always and tell little", advice_.busy);
  return warnings;
}

}  // namespace spiketrain
