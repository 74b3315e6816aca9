#include "spiketrain/train/numeric_dump.h"

#include "spiketrain/train/checkpoint.h"

namespace spiketrain {

std::string write_numeric_dump(const RunDir& dir, const Training& training, const Progress& progress,
                               const Batch* batch) {
  NamedTensors dump;
  if (batch) {
    dump = {{"batch.x", batch->x}, {"batch.y", batch->target.y}};
    if (batch->ids.defined()) dump.emplace_back("batch.ids", batch->ids);
  }
  for (const auto& item : network_tensors(training.network())) dump.push_back(item);
  for (const auto& [name, parameter] : training.optimizer->parameters()) {
    if (parameter.grad().defined()) dump.emplace_back("grad." + name, parameter.grad());
  }
  const std::string path = dir.file("nan_dump.safetensors");
  save_tensors(path, dump, {{"progress", to_json(progress).dump()}, {"config", training.config.dump()}});
  return path;
}

}  // namespace spiketrain
