#include "spiketrain/data/events/framing.h"

#include <algorithm>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

/// Products of a time in the window and T stay below 2^63 with this bound (14 days) and T <= 10^5.
constexpr int64_t kLongestWindow = int64_t{1} << 40;

/// Frame coordinate of each sensor coordinate, -1 where cropped away; returns the frame's extent.
int64_t map_axis(int64_t extent, int64_t kept, int64_t factor, int64_t target, std::vector<int64_t>& map) {
  const int64_t skip = (extent - kept) / 2;
  map.assign(static_cast<size_t>(extent), -1);
  for (int64_t i = 0; i < kept; ++i)
    map[static_cast<size_t>(skip + i)] = target > 0 ? i * target / kept : i / factor;
  return target > 0 ? target : (kept + factor - 1) / factor;
}

}  // namespace

Framer::Framer(const EventOptions& options, int64_t steps, SensorSize sensor)
    : options_(options),
      steps_(steps),
      sensor_(sensor),
      by_count_(options.by == "count"),
      from_zero_(options.origin == "zero"),
      both_(options.polarity == "both" && sensor.polarities > 1) {
  const EventOptions& o = options_;
  ST_CHECK(steps > 0 && steps <= 100000, "events: expected from 1 to 100000 frames (steps), got ", steps);
  ST_CHECK(sensor.width > 0 && sensor.height > 0 && (sensor.polarities == 1 || sensor.polarities == 2),
           "events: expected a sensor of at least 1x1 pixels and 1 or 2 polarities, got ", sensor.width, "x",
           sensor.height, ", ", sensor.polarities);
  ST_CHECK(by_count_ || o.by == "time", "events.by: expected time or count, got \"", o.by, "\"");
  ST_CHECK(from_zero_ || o.origin == "first", "events.origin: expected first or zero, got \"", o.origin,
           "\"");
  ST_CHECK(o.polarity == "both" || o.polarity == "merged", "events.polarity: expected both or merged, got \"",
           o.polarity, "\"");
  ST_CHECK(o.dt_us >= 0 && o.offset_us >= 0 && o.duration_us >= 0,
           "events: expected dt_us, offset_us and duration_us >= 0");
  ST_CHECK(!by_count_ || o.dt_us == 0,
           "events: frames of equal numbers of events have no dt_us; set by = "
           "\"time\" or dt_us = 0");
  ST_CHECK(o.dt_us <= kLongestWindow / steps && o.duration_us <= kLongestWindow,
           "events: expected a window of at most ", kLongestWindow, " us");
  if (o.accumulate == "or") {
    limit_ = 1;
  } else if (o.accumulate == "count") {
    limit_ = 255;
  } else {
    ST_CHECK(o.accumulate == "clip", "events.accumulate: expected or, count or clip, got \"", o.accumulate,
             "\"");
    ST_CHECK(o.clip >= 1 && o.clip <= 255, "events.clip: expected 1 to 255, got ", o.clip);
    limit_ = o.clip;
  }
  ST_CHECK(o.downsample >= 1, "events.downsample: expected at least 1, got ", o.downsample);
  ST_CHECK(o.size.size() <= 2, "events.size: expected [], [s] or [height, width]");
  ST_CHECK(o.size.empty() || o.downsample == 1, "events: give size or downsample, not both");
  const int64_t side = std::min(sensor.width, sensor.height);
  const int64_t width = o.crop ? side : sensor.width, height = o.crop ? side : sensor.height;
  const int64_t target_h = o.size.empty() ? 0 : o.size.front(), target_w = o.size.empty() ? 0 : o.size.back();
  ST_CHECK(o.size.empty() || (target_h >= 1 && target_w >= 1 && target_h <= height && target_w <= width),
           "events.size: expected at least 1 and at most ", height, "x", width,
           ", the pixels there are; got ", target_h, "x", target_w);
  const int64_t w = map_axis(sensor.width, width, o.downsample, target_w, column_);
  const int64_t h = map_axis(sensor.height, height, o.downsample, target_h, row_);
  for (int64_t& y : row_) y = y < 0 ? -1 : y * w;
  shape_ = {both_ ? 2 : 1, h, w};
  channel_stride_ = h * w;
  ST_CHECK(channel_stride_ * shape_[0] <= (int64_t{1} << 31) / steps,
           "events: expected at most 2^31 values per sample, got ", steps, "x", shape_[0], "x", h, "x", w);
}

int64_t Framer::cell(const Event& event) const {
  ST_CHECK(event.x < sensor_.width && event.y < sensor_.height && event.polarity < 2, "events: event at (",
           event.x, ", ", event.y, "), polarity ", int{event.polarity}, ", is outside the sensor of ",
           sensor_.width, "x", sensor_.height);
  const int64_t x = column_[event.x], y = row_[event.y];
  if (x < 0 || y < 0) return -1;
  return (both_ ? event.polarity * channel_stride_ : 0) + y + x;
}

Framer::Window Framer::window(const std::vector<Event>& events) const {
  int64_t first = events.front().t_us, last = first;
  for (const Event& event : events) {
    first = std::min(first, event.t_us);
    last = std::max(last, event.t_us);
  }
  Window w{};
  w.begin = (from_zero_ ? 0 : first) + options_.offset_us;
  if (options_.dt_us > 0) {
    w.slices = steps_ * options_.dt_us;
  } else {
    w.slices = options_.duration_us > 0 ? options_.duration_us : last + 1 - w.begin;
  }
  ST_CHECK(w.slices <= kLongestWindow, "events: the recording is longer than ", kLongestWindow,
           " us; set events.duration_us");
  w.end = w.begin + (options_.duration_us > 0 ? std::min(options_.duration_us, w.slices) : w.slices);
  return w;
}

void Framer::count(const std::vector<Event>& events, uint16_t* counts) const {
  std::fill_n(counts, numel(), uint16_t{0});
  if (events.empty()) return;
  const Window w = window(events);
  const auto inside = [&](const Event& event) { return event.t_us >= w.begin && event.t_us < w.end; };
  const int64_t total = by_count_ ? std::count_if(events.begin(), events.end(), inside) : 0;
  const int64_t frame_stride = channel_stride_ * shape_[0];
  int64_t seen = 0;
  for (const Event& event : events) {
    const int64_t place = cell(event);
    if (!inside(event)) continue;
    const int64_t frame = by_count_ ? seen++ * steps_ / total : (event.t_us - w.begin) * steps_ / w.slices;
    if (place < 0) continue;
    uint16_t& count = counts[frame * frame_stride + place];
    if (count < UINT16_MAX) ++count;
  }
}

void Framer::frame(const std::vector<Event>& events, uint8_t* out) const {
  std::vector<uint16_t> counts(static_cast<size_t>(numel()));
  count(events, counts.data());
  std::transform(counts.begin(), counts.end(), out,
                 [this](uint16_t count) { return static_cast<uint8_t>(std::min<int64_t>(count, limit_)); });
}

std::vector<int64_t> frame_shape(const EventOptions& options, SensorSize sensor) {
  return Framer(options, 1, sensor).shape();
}

}  // namespace spiketrain
