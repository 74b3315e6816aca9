// Labels that samples have and that were predicted, for the metrics of this folder.
#pragma once
#include "spiketrain/core/objective.h"

namespace spiketrain {

struct Labels {
  Tensor predicted, wanted;  ///< [n, outputs], double, 0 or 1
};

/// Of classes the greatest output and the label; of values those above `threshold` in the prediction and above 1/2 in the target.
inline Labels labels(const Tensor& prediction, const Target& target, double threshold) {
  const auto of_class = [&](const Tensor& y) {
    return torch::one_hot(y, prediction.size(1)).to(torch::kDouble);
  };
  if (target.kind == Target::Kind::class_index) return {of_class(prediction.argmax(1)), of_class(target.y)};
  return {(prediction > threshold).flatten(1).to(torch::kDouble),
          (target.y > 0.5).flatten(1).to(torch::kDouble)};
}

}  // namespace spiketrain
