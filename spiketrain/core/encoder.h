// Encoder = samples -> the network's input signal.
#pragma once
#include "spiketrain/base/registry.h"
#include "spiketrain/core/signal.h"
#include "spiketrain/core/target.h"

namespace spiketrain {

struct Encoder : Part {
  /// Steps [t0, t1) of T, and the seed of random encoders, whose streams are keyed by (seed, epoch, id of the sample).
  struct Request {
    int64_t t0, t1, T;
    uint64_t seed = 0;
  };
  /// batch.x [B,*] float, an image -> the signal at these steps.  Segments join: what a step holds does not depend on
  /// which others are asked for with it.
  virtual Signal encode(const Batch& batch, const Request& request) const = 0;
  /// batch.x holds the steps themselves.  UsageError unless the encoder can take them.
  virtual Signal frames(const Batch& batch, const Request& request) const;
  /// UsageError unless the encoder can take frames.
  virtual void check_frames() const;
  /// Whether values mean intensities from 0 to 1, so that normalised pixels would be coded wrongly.
  virtual bool reads_intensities() const { return false; }
};

}  // namespace spiketrain
