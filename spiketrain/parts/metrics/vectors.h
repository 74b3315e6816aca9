// Predicted and wanted values as lists of vectors, for the metrics of this folder.
#pragma once
#include "spiketrain/core/objective.h"

namespace spiketrain {

struct Vectors {
  Tensor predicted, wanted;  ///< [n, outputs], double
};

/// Those of a batch: of each sample [B,*out], or of each step that is no padding [T,B,*out].
inline Vectors vectors(const Tensor& prediction, const Target& target, const Tensor& valid) {
  const bool steps = target.kind == Target::Kind::sequence;
  const auto flat = [&](Tensor x) {
    if (steps) x = x.flatten(0, 1);
    x = x.flatten(1).to(torch::kDouble);
    return steps && valid.defined() ? x.index({valid.flatten()}) : x;
  };
  return {flat(prediction), flat(target.y)};
}

}  // namespace spiketrain
