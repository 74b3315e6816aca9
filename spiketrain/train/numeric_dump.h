// What a run leaves behind at a numeric error, to look at.
#pragma once
#include <string>

#include "spiketrain/train/progress.h"
#include "spiketrain/train/run_dir.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

/// Writes nan_dump.safetensors: the batch ("batch.x", "batch.y", "batch.ids"; it may be null), the network's
/// tensors and gradients ("grad.NAME").  Returns its path.
std::string write_numeric_dump(const RunDir& dir, const Training& training, const Progress& progress,
                               const Batch* batch);

}  // namespace spiketrain
