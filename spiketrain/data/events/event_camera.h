// A simulated event camera.  A pixel remembers the log intensity L_ref at its last event and fires
//   ON  when L(t) - L_ref reaches C_on,  then L_ref += C_on;
//   OFF when L_ref - L(t) reaches C_off, then L_ref -= C_off.
// Between two rendered frames L(t) is linear, so a crossing has a time of its own and a fast change gives
// several events.  Each pixel has its own C_on and C_off (mismatch), fires no two events closer than the
// refractory time, and fires background events of either polarity as a Poisson process.
// Sources of the model: Rebecq, Gehrig, Scaramuzza, "ESIM: an open event camera simulator", CoRL 2018; Hu,
// Liu, Delbruck, "v2e: from video frames to realistic DVS events", CVPRW 2021.  Our own implementation.
// Deviations: no low-pass filter, no leak events, no shot noise that depends on the intensity.
// Tests: unit/event_generators_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "spiketrain/base/options.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

/// A sensor and its imperfections.
struct EventCameraOptions {
  int64_t width = 34, height = 34;
  double threshold = 0.25, threshold_sigma = 0.03, noise_hz = 0.5;
  int64_t refractory_us = 500;

  template <class V>
  void visit(V& v) {
    v(width, "width", "pixels of the sensor from left to right", Range{8, 256});
    v(height, "height", "pixels of the sensor from top to bottom", Range{8, 256});
    v(threshold, "threshold", "change of log intensity that fires an event, mean over pixels",
      Range{0.02, 10});
    v(threshold_sigma, "threshold_sigma", "standard deviation of the threshold between pixels", Range{0, 1});
    v(noise_hz, "noise_hz", "background events per pixel and second", Range{0, 1e4});
    v(refractory_us, "refractory_us", "shortest time between two events of a pixel, in microseconds",
      Range{0, 1e6});
  }
};

/// Thresholds of one sensor, drawn once from `seed`: every recording is made by the same camera.
/// A threshold is at least a fifth of the mean one.  UsageError if an option is out of range.
class EventSensor {
 public:
  EventSensor(const EventCameraOptions& options, uint64_t seed);
  const EventCameraOptions& options() const { return options_; }
  size_t pixels() const { return on_.size(); }
  const std::vector<float>& on() const { return on_; }    ///< [height * width], row-major
  const std::vector<float>& off() const { return off_; }  ///< [height * width]

 private:
  EventCameraOptions options_;
  std::vector<float> on_, off_;
};

/// One recording: show it frames, then take the events.
class EventCamera {
 public:
  /// `rng` drives the background events.  `sensor` must outlive the camera.
  EventCamera(const EventSensor& sensor, Rng rng) : sensor_(sensor), rng_(rng) {}

  /// The scene at time t_us: natural logarithm of the intensity, [height * width] row-major.  The first
  /// frame sets L_ref.  UsageError: times that do not increase, a change that is not finite.
  void frame(double t_us, const float* log_intensity);

  /// Another scene from t_us on, without an event: L_ref becomes uniform between L - C_on and L + C_off, as
  /// if the camera had been watching that scene for long.  t_us may be the time of the last frame.
  void cut(double t_us, const float* log_intensity);

  /// The events from 0 (included) to the last frame (excluded), sorted by time, then row, column, polarity.
  EventStream finish();

 private:
  struct Crossing {
    double t_us;
    uint32_t pixel;
    uint8_t polarity;
  };
  void cross(size_t pixel, double t_us, float now);
  void add_noise();
  void sort();

  const EventSensor& sensor_;
  Rng rng_;
  double t_us_ = 0;
  std::vector<float> reference_, last_;
  std::vector<Crossing> crossings_;
};

/// Visitor that throws UsageError if an option is out of the range it declares.
struct RangeChecker {
  const char* owner;
  template <class T>
  void operator()(T& value, const char* name, const char* /*help*/, Range range) {
    const auto number = static_cast<double>(value);
    ST_CHECK(number >= range.low && number <= range.high, owner, ".", name, ": expected a value in [",
             range.low, ", ", range.high, "], got ", value);
  }
};
template <class T>
void check_options(T options, const char* owner) {
  RangeChecker checker{owner};
  options.visit(checker);
}

}  // namespace spiketrain
