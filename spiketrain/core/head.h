// Head = how a block is read out for an objective of its own: a chain of stages that ends in the shape of the output.
#pragma once
#include <memory>
#include <vector>

#include "spiketrain/core/stage.h"

namespace spiketrain {

struct Head : Part {
  /// For a block whose output has the shape `in`.  UsageError if it cannot be read out to `output`.
  virtual std::vector<std::shared_ptr<Stage>> build(const Shape& in, const Shape& output,
                                                    std::shared_ptr<Neuron> neuron) const = 0;
};

}  // namespace spiketrain
