// Encoder = samples -> the network's input signal.
#pragma once
#include <torch/torch.h>

#include "spiketrain/core/registry.h"
#include "spiketrain/core/signal.h"

namespace spiketrain {

struct Encoder {
  virtual ~Encoder() = default;
  /// x [B,*] float -> a signal of T steps.  `key` makes random encoders reproducible: (seed, epoch, first
  /// sample).
  struct Key {
    uint64_t seed = 0, epoch = 0, batch = 0;
  };
  virtual Signal encode(const Tensor& x, int64_t T, const Key& key) const = 0;
  virtual void check() {}
};

}  // namespace spiketrain
