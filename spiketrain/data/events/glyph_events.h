// The drawn digits (data/glyphs.h) as recordings of a simulated event camera that looks at them in three
// saccades: down to the right, up to the right, back to the left, one third of the recording each, with the
// camera at rest at every corner.
// Source of the protocol: Orchard, Jayawant, Cohen, Thakor, "Converting static image datasets to spiking
// neuromorphic datasets using saccades", Frontiers in Neuroscience 2015; digits, path and camera are our own.
// Sample = function of (options, split, index) only.  Tests: unit/event_generators_test.cpp.
#pragma once
#include <memory>

#include "spiketrain/data/events/event_camera.h"

namespace spiketrain {

struct GlyphEventsOptions : EventCameraOptions {
  uint64_t seed = 1;  ///< keys glyphs, camera and noise
  int64_t train_size = 10000, test_size = 2000;
  int64_t duration_us = 300000;

  template <class V>
  void visit(V& v) {
    v(train_size, "train_size", "number of training recordings", Range{1, 1e7});
    v(test_size, "test_size", "number of test recordings", Range{1, 1e7});
    v(duration_us, "duration_us", "length of a recording, three saccades, in microseconds", Range{1e3, 1e7});
    EventCameraOptions::visit(v);
  }
};

/// Ten classes, the digits.  A glyph is scaled with the shorter side of the sensor (28 of 34 pixels).
/// UsageError if an option is out of range; events() and label(): if the index is.
std::unique_ptr<EventSource> make_glyph_events(const GlyphEventsOptions& options, bool train);

}  // namespace spiketrain
