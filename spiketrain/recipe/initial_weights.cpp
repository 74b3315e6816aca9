#include "spiketrain/recipe/initial_weights.h"

#include <set>

#include "spiketrain/base/text.h"
#include "spiketrain/recipe/places.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain {
namespace {

/// Tensors at the places to be drawn, by address.
std::set<const void*> redrawn(const InitSection& init, const Network& network) {
  std::set<const void*> tensors;
  for (const auto& [place, layers] : places(network, init.redraw, "init.redraw")) {
    for (const auto& layer : layers) {
      for (const Tensor& t : layer->parameters()) tensors.insert(t.unsafeGetTensorImpl());
      for (const Tensor& t : layer->buffers()) tensors.insert(t.unsafeGetTensorImpl());
    }
  }
  return tensors;
}

/// The value for a tensor of the network.
Tensor value_of(const SafetensorsFile& file, const std::string& name, const Tensor& target) {
  const std::string advice =
      str("; name its layer in init.redraw to draw its weights (places: ", name.substr(0, name.find('.')),
          ", readout, block0, ...)");
  const TensorEntry* entry = file.find(name);
  ST_CHECK(entry, "init.file ", file.path(), ": tensor '", name, "' of the network is missing", advice);
  Tensor value = to_tensor(*entry);
  ST_CHECK(value.sizes() == target.sizes() && value.scalar_type() == target.scalar_type(), "init.file ",
           file.path(), ": tensor '", name, "': the network has ", target.scalar_type(), " ", target.sizes(),
           ", the file has ", value.scalar_type(), " ", value.sizes(), advice);
  if (!first_not_finite({{name, value}}).empty())
    throw DataError(file.path(), 0, str("tensor '", name, "' holds NaN or infinity"));
  return value;
}

/// Of the file's tensors those of a network that were not used.
std::vector<std::string> unused(const SafetensorsFile& file, const std::set<std::string>& used) {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file.entries()) {
    const bool other = entry.name.rfind("optimizer.", 0) == 0 || entry.name.rfind("learner.", 0) == 0;
    if (!other && used.count(entry.name) == 0) names.push_back(entry.name);
  }
  return names;
}

}  // namespace

void InitSection::check() const {
  ST_CHECK(redraw.empty() || !file.empty(), "init.redraw: without init.file all weights are drawn");
}

std::string load_initial_weights(const InitSection& init, Network& network) {
  if (init.file.empty()) return "";
  const SafetensorsFile file = open_checkpoint(init.file);
  const std::set<const void*> drawn = redrawn(init, network);
  std::vector<std::pair<Tensor, Tensor>> copies;
  std::set<std::string> used;
  for (const auto& [name, target] : network_tensors(network)) {
    if (drawn.count(target.unsafeGetTensorImpl()) != 0) continue;
    copies.emplace_back(target, value_of(file, name, target));
    used.insert(name);
  }
  const torch::NoGradGuard no_grad;
  for (auto& [target, value] : copies) target.copy_(value);
  std::string line = str("begins with ", copies.size(), " tensors of ", init.file);
  if (!init.redraw.empty()) line += "; drawn: " + join(init.redraw);
  const std::vector<std::string> left = unused(file, used);
  if (!left.empty()) line += "; not used of the file: " + join(left);
  return line;
}

}  // namespace spiketrain
