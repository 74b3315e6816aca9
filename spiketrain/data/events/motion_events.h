// Recordings whose class is a motion: left, right, up, down, clockwise or counterclockwise (this order).
// A random texture without borders fills the view of a simulated event camera.  It moves in three ways at
// once: along x, along y and about the center of the view.  A recording has four segments of equal length,
// each with a texture of its own.  The motion that is the class keeps its sense in all of them; the other two
// are `sway` times as fast, and each has either sense in two segments, so that it cancels.
//
// Why time alone tells the classes apart (sway = 1).  Write the senses in a segment as three signs.  The
// other two motions follow different balanced patterns, so up to an inversion of all three signs (the same
// motion backwards) every class shows the same four segments, in random order: (+++), (++-), (+-+), (+--).
// Playing backwards exchanges ON and OFF; inverting the contrast, which the textures do not notice, exchanges
// them back.  So frames summed over time, both polarity channels included, are distributed alike in all
// classes. docs/event-generators.md says what remains. Source: our own.  Sample = function of (options,
// split, index) only.  Tests: unit/event_generators_test.cpp.
#pragma once
#include <array>
#include <memory>

#include "spiketrain/data/events/event_camera.h"

namespace spiketrain {

constexpr std::array<const char*, 6> kMotionNames = {"left", "right",     "up",
                                                     "down", "clockwise", "counterclockwise"};

struct MotionEventsOptions : EventCameraOptions {
  uint64_t seed = 1;  ///< keys textures, motions, camera and noise
  int64_t train_size = 6000, test_size = 1200;
  int64_t duration_us = 300000;
  double speed = 40, sway = 1, contrast = 0.25;

  template <class V>
  void visit(V& v) {
    v(train_size, "train_size", "number of training recordings", Range{1, 1e7});
    v(test_size, "test_size", "number of test recordings", Range{1, 1e7});
    v(duration_us, "duration_us", "length of a recording in microseconds", Range{1e3, 1e7});
    v(speed, "speed", "speed of each motion in pixels per second; a sample's is 0.7 to 1.4 times as large",
      Range{0, 1e4});
    v(sway, "sway", "speed of the two motions that cancel, relative to the class's; 0: there are none",
      Range{0, 1});
    v(contrast, "contrast",
      "standard deviation of the texture's log intensity; a sample's is 0.7 to 1.4 "
      "times as large",
      Range{0, 10});
    EventCameraOptions::visit(v);
  }
};

/// Six classes in turn: label(index) = index % 6.
/// UsageError if an option is out of range; events() and label(): if the index is.
std::unique_ptr<EventSource> make_motion_events(const MotionEventsOptions& options, bool train);

}  // namespace spiketrain
