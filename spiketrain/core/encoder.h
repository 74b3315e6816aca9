// Encoder = samples -> the network's input signal.
#pragma once
#include "spiketrain/core/registry.h"
#include "spiketrain/core/signal.h"
#include "spiketrain/core/torch.h"

namespace spiketrain {

struct Encoder {
  virtual ~Encoder() = default;
  /// Steps [t0, t1) of T.
  struct Steps {
    int64_t t0, t1, T;
  };
  /// Makes random encoders reproducible.
  struct Key {
    uint64_t seed = 0, epoch = 0, batch = 0;
  };
  /// x [B,*] float -> the signal at these steps.  Windows join: what a step holds does not depend on which
  /// others are asked for with it.
  virtual Signal encode(const Tensor& x, const Steps& steps, const Key& key) const = 0;
  /// A data set of sequences: x [K,B,*] uint8 holds the steps themselves.  UsageError unless the encoder can
  /// take them.
  virtual Signal frames(const Tensor& /*x*/) const {
    throw UsageError("encoder: the data set gives a frame for each step; set encoder.name = \"direct\"");
  }
  /// Whether values mean intensities from 0 to 1, so that normalised pixels would be coded wrongly.
  virtual bool reads_intensities() const { return false; }
  virtual void check() {}
};

}  // namespace spiketrain
