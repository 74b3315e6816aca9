#include "spiketrain/recipe/initial_weights.h"

#include <filesystem>
#include <set>

#include "spiketrain/base/text.h"
#include "spiketrain/core/switched_quantizer.h"
#include "spiketrain/recipe/places.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain {
namespace {

/// Tensors at the places to be drawn, by address.
std::set<const void*> redrawn(const InitSection& init, const Network& network) {
  std::set<const void*> tensors;
  for (const auto& [place, stages] : places(network, init.redraw, "init.redraw")) {
    for (const auto& stage : stages) {
      for (const Tensor& t : stage->parameters()) tensors.insert(t.unsafeGetTensorImpl());
      for (const Tensor& t : stage->buffers()) tensors.insert(t.unsafeGetTensorImpl());
    }
  }
  return tensors;
}

std::vector<std::string> weights_in(const SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file.entries()) {
    const bool other = entry.name.rfind("optimizer.", 0) == 0 || entry.name.rfind("learner.", 0) == 0;
    if (!other) names.push_back(entry.name);
  }
  return names;
}

/// The value for a tensor of the network.
Tensor value_of(const SafetensorsFile& file, const std::string& name, const Tensor& target) {
  const std::string advice =
      str("; name its place in init.redraw to draw its weights: ", name.substr(0, name.find('.')));
  const TensorEntry* entry = file.find(name);
  ST_CHECK(entry, "init.file ", file.path(), ": tensor '", name, "' of the network is missing", advice,
           ". The file has: ", join(weights_in(file)));
  Tensor value = to_tensor(*entry);
  ST_CHECK(value.sizes() == target.sizes() && value.scalar_type() == target.scalar_type(), "init.file ",
           file.path(), ": tensor '", name, "': the network has ", target.scalar_type(), " ", target.sizes(),
           ", the file has ", value.scalar_type(), " ", value.sizes(), advice);
  if (!first_not_finite({{name, value}}).empty())
    throw DataError(file.path(), 0, str("tensor '", name, "' holds NaN or infinity"));
  return value;
}

/// A way back of its own, which files of networks without one lack.
bool is_feedback(const std::string& name) { return name.find(".feedback") != std::string::npos; }

}  // namespace

void InitSection::check() const {
  ST_CHECK(redraw.empty() || !file.empty(), "init.redraw: without init.file all weights are drawn");
}

std::string load_initial_weights(const InitSection& init, Network& network) {
  if (init.file.empty()) return "";
  ST_CHECK(!std::filesystem::is_directory(init.file), "init.file ", init.file,
           ": is a folder; expected a file, such as a run's ckpt/best.safetensors");
  const SafetensorsFile file = open_checkpoint(init.file);
  const std::set<const void*> drawn = redrawn(init, network);
  std::vector<std::pair<Tensor, Tensor>> copies;
  std::set<std::string> known;
  std::vector<std::string> fresh = init.redraw;
  for (const auto& [name, target] : network_tensors(network)) {
    known.insert(name);
    if (is_quantizer_switch(name) || drawn.count(target.unsafeGetTensorImpl()) != 0) continue;
    if (is_feedback(name) && !file.find(name)) {
      fresh.push_back(name);
    } else {
      copies.emplace_back(target, value_of(file, name, target));
    }
  }
  const torch::NoGradGuard no_grad;
  for (auto& [target, value] : copies) target.copy_(value);
  std::string line =
      str("begins with ", copies.size(), copies.size() == 1 ? " tensor of " : " tensors of ", init.file);
  if (!fresh.empty()) line += "; drawn: " + join(fresh);
  std::vector<std::string> left;
  for (const std::string& name : weights_in(file))
    if (known.count(name) == 0) left.push_back(name);
  if (!left.empty()) line += "; not used of the file: " + join(left);
  return line;
}

}  // namespace spiketrain
