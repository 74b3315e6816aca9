// Frames from events.
//   window  [a, a + D): a = origin + offset; D = duration, or T dt, or up to the last event
//   time    frame of an event = floor((t - a) T / D), or floor((t - a) / dt)
//   count   the window's events, in their order, in T parts: event i of N goes to frame floor(i T / N)
//   space   crop to the centred square, then x -> floor(x / f) (size ceil(width / f)), or
//           x -> floor(x S / width) for a target size S; rows alike
//   value   number of events of the frame at that pixel and polarity, limited to 1 (or), 255 (count), `clip`
// Source: the common practice of event-based training; every rounding rule is written above.
// Tests: unit/framing_test.cpp, against a brute-force reference.
#pragma once
#include <cstdint>
#include <vector>

#include "spiketrain/data/events/event_options.h"
#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

/// What an event's coordinates are limited to.
struct SensorSize {
  int64_t width = 0, height = 0, polarities = 2;
};

class Framer {
 public:
  /// UsageError: steps < 1, contradicting options, a target size larger than the sensor.
  Framer(const EventOptions& options, int64_t steps, SensorSize sensor);

  int64_t steps() const { return steps_; }
  /// {C, H, W}; channel 0 is OFF, 1 is ON.
  const std::vector<int64_t>& shape() const { return shape_; }
  /// T C H W.
  int64_t numel() const { return steps_ * channel_stride_ * shape_[0]; }
  /// Largest value of a frame.
  int64_t limit() const { return limit_; }

  /// Events per place, counts[T C H W], not yet limited (saturating at 65535).  No events give zeros.
  /// UsageError for an event outside the sensor.
  void count(const std::vector<Event>& events, uint16_t* counts) const;
  /// The frames, out[T C H W].  Errors as count().
  void frame(const std::vector<Event>& events, uint8_t* out) const;

 private:
  struct Window {
    int64_t begin, end;  ///< [begin, end)
    int64_t slices;      ///< what [begin, end) would be without `duration_us`, see dt_us
  };
  Window window(const std::vector<Event>& events) const;
  int64_t cell(const Event& event) const;

  EventOptions options_;
  int64_t steps_;
  SensorSize sensor_;
  bool by_count_, from_zero_, both_;
  int64_t limit_ = 1;
  int64_t channel_stride_ = 0;         // H W
  std::vector<int64_t> shape_;         // {C, H, W}
  std::vector<int64_t> column_, row_;  // sensor x -> frame x, sensor y -> frame y * W; -1: cropped away
};

/// {C, H, W} of the frames, without making a Framer.  Errors as there.
std::vector<int64_t> frame_shape(const EventOptions& options, SensorSize sensor);

}  // namespace spiketrain
