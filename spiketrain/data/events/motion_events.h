// Recordings whose class is a motion: left, right, up, down, clockwise or counterclockwise (this order).
// A random texture without borders fills the view of a simulated event camera.  Its motion has three
// components: along x, along y and about the center of the view.  The component that is the class keeps its
// sense; the other two are `sway` times as fast and reverse theirs once, at a random time near the middle, so
// that they have no lasting effect.  With sway = 1 every component has the same distribution of speed in
// every class, and the number of events tells nothing about the class wherever they are counted.
//
// Mirroring left-right turns `left` into `right`, playing backwards and inverting the contrast does too, and
// the distribution of textures knows neither: the frame of a recording summed over time looks the same for
// two opposite classes, whatever its polarity channels.  docs/event-generators.md says what remains.
// Source: our own.  Sample = function of (options, split, index) only.  Tests:
// unit/event_generators_test.cpp.
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
    v(speed, "speed", "speed of a component in pixels per second; a sample's is 0.7 to 1.4 times as large",
      Range{0, 1e4});
    v(sway, "sway", "speed of the two components that reverse, relative to the class's; 0: pure motions",
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
