#include "spiketrain/recipe/places.h"

#include <algorithm>

#include "spiketrain/base/text.h"
#include "spiketrain/core/extras.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/core/optimizer.h"

namespace spiketrain {
namespace {

using Stages = std::vector<std::shared_ptr<Stage>>;

bool holds_tensors(const Stage& stage) {
  return dynamic_cast<const Layer*>(&stage) != nullptr || !stage.parameters().empty() ||
         !stage.buffers().empty();
}

std::vector<Place> all_places(const Network& network) {
  std::vector<Place> blocks, nodes;
  for (int64_t b = 0; b < network.blocks(); ++b) blocks.push_back({"block" + std::to_string(b), {}});
  Stages heads;
  std::shared_ptr<Stage> output;
  for (size_t n = 0; n < network.nodes().size(); ++n) {
    const Network::Node& node = network.nodes()[n];
    if (!holds_tensors(*node.stage)) continue;
    nodes.push_back({node.name, {node.stage}});
    if (node.head_of >= 0) {
      heads.push_back(node.stage);
      continue;
    }
    blocks[static_cast<size_t>(network.block_of(static_cast<int64_t>(n)))].second.push_back(node.stage);
    output = node.stage;
  }
  if (output) heads.push_back(output);
  blocks.emplace_back("readout", heads);
  blocks.insert(blocks.end(), nodes.begin(), nodes.end());
  return blocks;
}

}  // namespace

std::vector<Place> places(const Network& network, const std::vector<std::string>& named,
                          const std::string& option) {
  std::vector<Place> all = all_places(network);
  std::vector<std::string> names;
  for (const Place& place : all) names.push_back(place.first);
  for (const std::string& name : named)
    ST_CHECK(std::find(names.begin(), names.end(), name) != names.end(), option, ": the network ",
             network.notation(), " has no place '", name, "'", spelled_like(name, names, "."),
             " Places: ", join(names));
  const auto left_out = [&](const Place& place) {
    return std::find(named.begin(), named.end(), place.first) == named.end();
  };
  all.erase(std::remove_if(all.begin(), all.end(), left_out), all.end());
  return all;
}

void freeze(Network& network, const std::vector<std::string>& named) {
  for (const auto& [place, stages] : places(network, named, "train.freeze")) {
    for (const auto& stage : stages) {
      for (const Tensor& parameter : stage->parameters()) Tensor(parameter).set_requires_grad(false);
      for (const auto& module : stage->modules())
        if (const auto norm = std::dynamic_pointer_cast<Norm>(module)) norm->frozen = true;
      for (const auto& module : stage->modules())
        if (const auto normed = std::dynamic_pointer_cast<NormedNeuron>(module)) normed->frozen = true;
    }
  }
  ST_CHECK(named.empty() || !trained_parameters(network).empty(), "train.freeze: every layer of the network ",
           network.notation(), " is frozen; leave one that learns");
}

}  // namespace spiketrain
