// Labels as vectors, for the objectives of this folder.
#pragma once
#include "spiketrain/core/objective.h"

namespace spiketrain {

/// label [B] int64 -> [B,classes]: 1 at the label, 0 elsewhere, in this type.
inline Tensor one_hot(const Tensor& label, int64_t classes, torch::ScalarType type) {
  return torch::one_hot(label, classes).to(type);
}

}  // namespace spiketrain
