// Threshold crossings, background events and the refractory time; see event_camera.h for the model.
#include "spiketrain/data/events/event_camera.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace spiketrain {
namespace {

/// Stream of the mismatch; recordings use the splits 0 and 1.
constexpr uint64_t kMismatchStream = 2;
/// Smallest threshold of a pixel, as a part of the mean one.
constexpr double kLeastThreshold = 0.2;

}  // namespace

EventSensor::EventSensor(const EventCameraOptions& options, uint64_t seed) : options_(options) {
  check_options(options, "event camera");
  Rng rng(seed, Purpose::event_camera, kMismatchStream);
  const auto draw = [&] {
    const double threshold = options.threshold + options.threshold_sigma * rng.normal();
    return static_cast<float>(std::max(threshold, kLeastThreshold * options.threshold));
  };
  const auto pixels = static_cast<size_t>(options.width * options.height);
  on_.resize(pixels);
  off_.resize(pixels);
  for (size_t p = 0; p < pixels; ++p) {
    on_[p] = draw();
    off_[p] = draw();
  }
}

void EventCamera::frame(double t_us, const float* log_intensity) {
  const size_t pixels = sensor_.pixels();
  if (last_.empty()) {
    last_.assign(log_intensity, log_intensity + pixels);
    reference_ = last_;
    t_us_ = t_us;
    return;
  }
  ST_CHECK(t_us > t_us_, "event camera: expected a frame later than ", t_us_, " us, got one at ", t_us,
           " us");
  const float *on = sensor_.on().data(), *off = sensor_.off().data();
  for (size_t p = 0; p < pixels; ++p) {
    const float change = log_intensity[p] - reference_[p];
    if (change >= on[p] || -change >= off[p]) cross(p, t_us, log_intensity[p]);
  }
  std::copy(log_intensity, log_intensity + pixels, last_.begin());
  t_us_ = t_us;
}

void EventCamera::cut(double t_us, const float* log_intensity) {
  ST_CHECK(last_.empty() || t_us >= t_us_, "event camera: expected a cut at or after ", t_us_,
           " us, got one at ", t_us, " us");
  last_.assign(log_intensity, log_intensity + sensor_.pixels());
  reference_ = last_;
  const std::vector<float>&on = sensor_.on(), &off = sensor_.off();
  for (size_t p = 0; p < reference_.size(); ++p) {
    const float u = static_cast<float>(rng_.next() >> 8) * 0x1.0p-24f;
    reference_[p] += u * (on[p] + off[p]) - on[p];
  }
  t_us_ = t_us;
}

void EventCamera::cross(size_t pixel, double t_us, float now) {
  ST_CHECK(std::isfinite(now), "event camera: expected a finite log intensity, got ", now);
  float& reference = reference_[pixel];
  const float before = last_[pixel], on = sensor_.on()[pixel], off = sensor_.off()[pixel];
  const double slope = (t_us - t_us_) / static_cast<double>(now - before);
  const auto emit = [&](uint8_t polarity) {
    // Rounding must not carry the crossing out of the interval between the frames.
    const double t = std::clamp(t_us_ + static_cast<double>(reference - before) * slope, t_us_, t_us);
    crossings_.push_back({t, static_cast<uint32_t>(pixel), polarity});
  };
  while (now - reference >= on) {
    reference += on;
    emit(1);
  }
  while (reference - now >= off) {
    reference -= off;
    emit(0);
  }
}

void EventCamera::add_noise() {
  const EventCameraOptions& options = sensor_.options();
  if (options.noise_hz == 0) return;
  const double mean_gap_us = 1e6 / (options.noise_hz * static_cast<double>(sensor_.pixels()));
  for (double t = 0;;) {
    t -= mean_gap_us * std::log(1 - rng_.uniform());
    if (t >= t_us_) return;
    const uint64_t drawn = rng_.below(2 * sensor_.pixels());
    crossings_.push_back({t, static_cast<uint32_t>(drawn / 2), static_cast<uint8_t>(drawn % 2)});
  }
}

void EventCamera::sort() {
  std::sort(crossings_.begin(), crossings_.end(), [](const Crossing& a, const Crossing& b) {
    if (a.t_us != b.t_us) return a.t_us < b.t_us;
    return std::tie(a.pixel, a.polarity) < std::tie(b.pixel, b.polarity);
  });
}

EventStream EventCamera::finish() {
  add_noise();
  sort();
  const EventCameraOptions& options = sensor_.options();
  const auto width = static_cast<uint32_t>(options.width);
  const auto refractory = static_cast<double>(options.refractory_us);
  std::vector<double> ready(sensor_.pixels(), -std::numeric_limits<double>::infinity());
  EventStream out;
  out.width = options.width;
  out.height = options.height;
  out.events.reserve(crossings_.size());
  for (const Crossing& c : crossings_) {
    if (c.t_us < ready[c.pixel] || c.t_us >= t_us_) continue;
    ready[c.pixel] = c.t_us + refractory;
    if (c.t_us < 0) continue;
    out.events.push_back({static_cast<int64_t>(c.t_us), static_cast<uint16_t>(c.pixel % width),
                          static_cast<uint16_t>(c.pixel / width), c.polarity});
  }
  // Times have been cut to whole microseconds, which may have made some equal.
  const auto order = [](const Event& a, const Event& b) {
    return std::tie(a.t_us, a.y, a.x, a.polarity) < std::tie(b.t_us, b.y, b.x, b.polarity);
  };
  if (!std::is_sorted(out.events.begin(), out.events.end(), order)) {
    std::sort(out.events.begin(), out.events.end(), order);
  }
  crossings_.clear();
  return out;
}

}  // namespace spiketrain
