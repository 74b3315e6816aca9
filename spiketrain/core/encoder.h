// Encoder = samples -> the network's input signal.
#pragma once
#include "spiketrain/base/registry.h"
#include "spiketrain/core/signal.h"
#include "spiketrain/core/target.h"

namespace spiketrain {

class Network;

struct Encoder : Part {
  /// Steps [t0, t1) of T, and the seed of random encoders, whose streams are keyed by (seed, epoch, id of the sample).
  struct Request {
    int64_t t0, t1, T;
    uint64_t seed = 0;
  };
  /// batch.x [B,*] float, an image -> the signal at these steps, of shape step_shape([*]).  Segments join: what a step holds does
  /// not depend on which others are asked for with it.
  virtual Signal encode(const Batch& batch, const Request& request) const = 0;
  /// batch.x holds the steps themselves.  UsageError unless the encoder can take them.
  virtual Signal frames(const Batch& batch, const Request& request) const;
  /// UsageError unless the encoder can take frames.
  virtual void check_frames() const;
  /// UsageError unless the encoder can take images.
  virtual void check_images() const {}
  /// Shape of what it sends of a sample, or of a frame, of this shape.  UsageError if it cannot take such.
  virtual Shape step_shape(const Shape& in) const { return in; }
  /// UsageError unless the network, over this many steps, reads the code that the encoder sends.
  virtual void check_network(const Network& /*network*/, int64_t /*steps*/) const {}
  /// Whether values mean intensities from 0 to 1, so that normalised pixels would be coded wrongly.
  virtual bool reads_intensities() const { return false; }

  /// Steps of a batch of either form.
  Signal send(const Batch& batch, const Request& request) const {
    return batch.form == Batch::Form::frames ? frames(batch, request) : encode(batch, request);
  }
  /// check_frames() or check_images().
  void check_form(Batch::Form form) const {
    if (form == Batch::Form::frames) {
      check_frames();
    } else {
      check_images();
    }
  }
};

}  // namespace spiketrain
