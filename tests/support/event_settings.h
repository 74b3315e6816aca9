// The tiny experiment with event-driven layers.
#pragma once
#include <string>
#include <vector>

namespace spiketrain {

inline std::vector<std::string> event_settings(const std::string& readout, const std::string& objective) {
  return {"steps=12",
          "data.mean=[0]",
          "data.std=[1]",
          "encoder={name=\"latency\",exact=true}",
          "network={name=\"event\",hidden=[20],readout=\"" + readout + "\"}",
          "objective=" + objective,
          "optimizer={name=\"adam\",lr=2e-2}",
          "neuron=lif",
          "rule=bptt",
          "train={clip_norm=1.0}"};
}

}  // namespace spiketrain
