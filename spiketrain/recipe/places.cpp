#include "spiketrain/recipe/places.h"

#include <algorithm>

#include "spiketrain/base/text.h"
#include "spiketrain/core/optimizer.h"

namespace spiketrain {
namespace {

using Layers = std::vector<std::shared_ptr<const Layer>>;

Layers readout_layers(const Network& network) {
  Layers layers;
  for (int64_t b = 0; b < network.blocks(); ++b)
    for (const auto& layer : network.layers(b, /*head=*/true)) layers.push_back(layer);
  const auto last = network.layers(network.blocks() - 1, /*head=*/false);
  if (!last.empty()) layers.push_back(last.back());
  return layers;
}

std::vector<Place> all_places(const Network& network) {
  std::vector<Place> list;
  for (int64_t b = 0; b < network.blocks(); ++b)
    list.emplace_back("block" + std::to_string(b), network.layers(b, /*head=*/false));
  list.emplace_back("readout", readout_layers(network));
  for (const Network::Node& node : network.nodes()) {
    if (const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage))
      list.push_back({node.name, {layer}});
  }
  return list;
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
  for (const auto& [place, layers] : places(network, named, "train.freeze")) {
    for (const auto& layer : layers) {
      for (const Tensor& parameter : layer->parameters()) Tensor(parameter).set_requires_grad(false);
      for (const Connection& connection : layer->connections())
        if (connection.norm) connection.norm->frozen = true;
    }
  }
  ST_CHECK(named.empty() || !trained_parameters(network).empty(), "train.freeze: every layer of the network ",
           network.notation(), " is frozen; leave one that learns");
}

}  // namespace spiketrain
