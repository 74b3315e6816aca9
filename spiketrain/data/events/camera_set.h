// What the built-in sets of a simulated event camera share.
#pragma once
#include "spiketrain/base/check.h"
#include "spiketrain/data/split.h"

namespace spiketrain {

/// Events of a recording that are no signal: 160 MB of them.
inline constexpr double kMostNoise = 1e7;

/// Options of a generator (glyph_events.h, motion_events.h) from those of a recipe.  UsageError:
/// events.sensor is not [height, width], or background events would fill the memory.
template <class Options>
Options camera_options(const DataOptions& o) {
  Options options;
  ST_CHECK(o.events.sensor.empty() || o.events.sensor.size() == 2, "events.sensor: expected [height, width]");
  if (!o.events.sensor.empty()) {
    options.height = o.events.sensor[0];
    options.width = o.events.sensor[1];
  }
  options.seed = o.seed;
  options.train_size = o.train_size;
  options.test_size = o.test_size;
  options.duration_us = o.events.recording_us;
  options.threshold = o.events.threshold;
  options.noise_hz = o.events.noise_hz;
  const double noise = options.noise_hz * 1e-6 * static_cast<double>(options.duration_us) *
                       static_cast<double>(options.height * options.width);
  ST_CHECK(noise <= kMostNoise, "events: noise_hz, sensor and recording_us make ", noise,
           " background events a recording; expected at most ", kMostNoise);
  return options;
}

}  // namespace spiketrain
