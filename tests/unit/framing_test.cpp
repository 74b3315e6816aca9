// Frames and filters against plain definitions, every option.
#include "spiketrain/data/events/framing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/events/event_filter.h"

namespace spiketrain::framing_test {

std::vector<Event> random_events(int64_t n, int64_t width, int64_t height, int64_t first, int64_t span,
                                 uint64_t seed) {
  Rng rng(seed, Purpose::test);
  std::vector<Event> events;
  for (int64_t i = 0; i < n; ++i) {
    Event e{};
    e.t_us = first + static_cast<int64_t>(rng.below(static_cast<uint64_t>(span)));
    e.x = static_cast<uint16_t>(rng.below(static_cast<uint64_t>(width)));
    e.y = static_cast<uint16_t>(rng.below(static_cast<uint64_t>(height)));
    e.polarity = static_cast<uint8_t>(rng.below(2));
    events.push_back(e);
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.t_us < b.t_us; });
  return events;
}

/// The definition: for each place, look at every event.  Boundaries in long double, which holds the exact
/// products of these small numbers.
std::vector<uint8_t> reference(const std::vector<Event>& events, const EventOptions& o, int64_t steps,
                               SensorSize sensor, const std::vector<int64_t>& shape) {
  const int64_t side = std::min(sensor.width, sensor.height);
  const int64_t kept_w = o.crop ? side : sensor.width, kept_h = o.crop ? side : sensor.height;
  const int64_t skip_x = (sensor.width - kept_w) / 2, skip_y = (sensor.height - kept_h) / 2;
  int64_t first = events.front().t_us, last = events.back().t_us;
  const int64_t begin = (o.origin == "zero" ? 0 : first) + o.offset_us;
  int64_t end = last + 1;
  if (o.duration_us > 0) end = begin + o.duration_us;
  if (o.dt_us > 0) end = o.duration_us > 0 ? std::min(end, begin + steps * o.dt_us) : begin + steps * o.dt_us;
  std::vector<Event> window;
  for (const Event& e : events)
    if (e.t_us >= begin && e.t_us < end) window.push_back(e);
  std::vector<uint8_t> out;
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t c = 0; c < shape[0]; ++c) {
      for (int64_t y = 0; y < shape[1]; ++y) {
        for (int64_t x = 0; x < shape[2]; ++x) {
          int64_t count = 0;
          for (size_t i = 0; i < window.size(); ++i) {
            const Event& e = window[i];
            const int64_t ex = e.x - skip_x, ey = e.y - skip_y;
            if (ex < 0 || ey < 0 || ex >= kept_w || ey >= kept_h) continue;
            const bool place = o.size.empty()
                                   ? ex / o.downsample == x && ey / o.downsample == y
                                   : ex * o.size.back() / kept_w == x && ey * o.size.front() / kept_h == y;
            const long double parts = o.by == "count" ? static_cast<long double>(window.size())
                                                      : (o.dt_us > 0 ? o.dt_us * steps : end - begin);
            const long double at = o.by == "count" ? static_cast<long double>(i) : e.t_us - begin;
            const bool frame = at * steps >= t * parts && at * steps < (t + 1) * parts;
            count += place && frame && (shape[0] == 1 || e.polarity == c);
          }
          const int64_t limit = o.accumulate == "or" ? 1 : o.accumulate == "count" ? 255 : o.clip;
          out.push_back(static_cast<uint8_t>(std::min(count, limit)));
        }
      }
    }
  }
  return out;
}

void expect_reference(const EventOptions& o, int64_t steps, SensorSize sensor, std::vector<int64_t> shape) {
  const auto events = random_events(400, sensor.width, sensor.height, 1003, 9001, 3);
  const Framer framer(o, steps, sensor);
  ASSERT_EQ(framer.shape(), shape);
  ASSERT_EQ(framer.numel(), steps * shape[0] * shape[1] * shape[2]);
  std::vector<uint8_t> frames(static_cast<size_t>(framer.numel()), 77);
  framer.frame(events, frames.data());
  const auto expected = reference(events, o, steps, sensor, shape);
  EXPECT_EQ(frames, expected);
  EXPECT_GT(std::count_if(expected.begin(), expected.end(), [](uint8_t v) { return v > 0; }), 5);
}

TEST(Framing, TimeSlices) {
  EventOptions o;
  expect_reference(o, 7, {6, 5, 2}, {2, 5, 6});
  o.offset_us = 2000;
  expect_reference(o, 7, {6, 5, 2}, {2, 5, 6});
  o.duration_us = 3001;
  expect_reference(o, 7, {6, 5, 2}, {2, 5, 6});
  o.origin = "zero";
  expect_reference(o, 4, {6, 5, 2}, {2, 5, 6});
}

TEST(Framing, FixedSteps) {
  EventOptions o;
  o.dt_us = 1000;
  expect_reference(o, 5, {6, 5, 2}, {2, 5, 6});
  expect_reference(o, 12, {6, 5, 2}, {2, 5, 6});  // longer than the recording
  o.duration_us = 3500;
  expect_reference(o, 5, {6, 5, 2}, {2, 5, 6});
  o.origin = "zero";
  o.offset_us = 900;
  expect_reference(o, 3, {6, 5, 2}, {2, 5, 6});
}

TEST(Framing, EqualNumbers) {
  EventOptions o;
  o.by = "count";
  expect_reference(o, 7, {6, 5, 2}, {2, 5, 6});
  o.offset_us = 1000;
  o.duration_us = 5000;
  expect_reference(o, 3, {6, 5, 2}, {2, 5, 6});
  o.crop = true;  // events that are cropped away still take part in the numbers
  expect_reference(o, 3, {9, 5, 2}, {2, 5, 5});
}

TEST(Framing, Values) {
  EventOptions o;
  for (const char* accumulate : {"or", "count", "clip"}) {
    o.accumulate = accumulate;
    o.clip = 3;
    expect_reference(o, 2, {4, 3, 2}, {2, 3, 4});
  }
  o.polarity = "merged";
  expect_reference(o, 2, {4, 3, 2}, {1, 3, 4});
  o.polarity = "both";
  expect_reference(o, 2, {4, 3, 1}, {1, 3, 4});  // a sensor of one polarity has one channel
}

TEST(Framing, CountsSaturate) {
  EventOptions o;
  const Framer framer(o, 1, {1, 1, 1});
  uint8_t out = 0;
  framer.frame(std::vector<Event>(300, Event{5, 0, 0, 1}), &out);
  EXPECT_EQ(out, 255);
  uint16_t count = 0;
  framer.count(std::vector<Event>(70000, Event{5, 0, 0, 1}), &count);
  EXPECT_EQ(count, 65535);
}

TEST(Framing, Space) {
  EventOptions o;
  o.downsample = 3;
  expect_reference(o, 3, {10, 6, 2}, {2, 2, 4});
  o.crop = true;
  expect_reference(o, 3, {11, 6, 2}, {2, 2, 2});
  o.downsample = 1;
  o.size = {4};
  expect_reference(o, 3, {11, 6, 2}, {2, 4, 4});
  o.crop = false;
  o.size = {5, 7};
  expect_reference(o, 3, {11, 6, 2}, {2, 5, 7});
  o.size = {1, 1};
  expect_reference(o, 3, {11, 6, 2}, {2, 1, 1});
}

TEST(Framing, NothingThereIsSilent) {
  EventOptions o;
  std::vector<uint8_t> out(2 * 2 * 9, 5);
  Framer(o, 2, {3, 3, 2}).frame({}, out.data());
  EXPECT_EQ(out, std::vector<uint8_t>(36, 0));
  o.offset_us = 1000;  // after the last event
  out.assign(36, 5);
  Framer(o, 2, {3, 3, 2}).frame({{4, 1, 1, 1}}, out.data());
  EXPECT_EQ(out, std::vector<uint8_t>(36, 0));
  o.by = "count";
  out.assign(36, 5);
  Framer(o, 2, {3, 3, 2}).frame({{4, 1, 1, 1}}, out.data());
  EXPECT_EQ(out, std::vector<uint8_t>(36, 0));
}

TEST(Framing, Refuses) {
  const auto refused = [](auto change, int64_t steps = 4) {
    EventOptions o;
    change(o);
    EXPECT_THROW(Framer(o, steps, {8, 6, 2}), UsageError);
  };
  refused([](EventOptions&) {}, 0);
  refused([](EventOptions& o) { o.by = "frames"; });
  refused([](EventOptions& o) { o.origin = "start"; });
  refused([](EventOptions& o) { o.accumulate = "sum"; });
  refused([](EventOptions& o) { o.polarity = "on"; });
  refused([](EventOptions& o) { o.by = "count", o.dt_us = 5; });
  refused([](EventOptions& o) { o.accumulate = "clip", o.clip = 0; });
  refused([](EventOptions& o) { o.accumulate = "clip", o.clip = 256; });
  refused([](EventOptions& o) { o.downsample = 0; });
  refused([](EventOptions& o) { o.downsample = 2, o.size = {3}; });
  refused([](EventOptions& o) { o.size = {7}; });
  refused([](EventOptions& o) { o.size = {0}; });
  refused([](EventOptions& o) { o.size = {2, 2, 2}; });
  refused([](EventOptions& o) { o.duration_us = int64_t{1} << 41; });
  uint8_t out[48];
  EventOptions o;
  EXPECT_THROW(Framer(o, 1, {8, 3, 2}).frame({{0, 8, 0, 0}}, out), UsageError);
  EXPECT_THROW(Framer(o, 1, {8, 3, 2}).frame({{0, 0, 3, 0}}, out), UsageError);
}

TEST(EventFilter, NoiseAgainstTheDefinition) {
  const auto events = random_events(600, 12, 9, 50, 5000, 5);
  for (const int64_t dt : {1, 40, 300}) {
    std::vector<Event> expected;
    for (size_t i = 0; i < events.size(); ++i) {
      const Event& e = events[i];
      bool supported = false;
      for (size_t j = 0; j < i; ++j) {
        const int dx = std::abs(events[j].x - e.x), dy = std::abs(events[j].y - e.y);
        supported = supported || (std::max(dx, dy) == 1 && e.t_us - events[j].t_us <= dt);
      }
      if (supported) expected.push_back(e);
    }
    auto filtered = events;
    filter_noise(filtered, 12, 9, dt);
    EXPECT_EQ(filtered, expected) << dt;
    EXPECT_LT(filtered.size(), events.size());
    EXPECT_TRUE(dt == 1 || !filtered.empty());
  }
  auto same = events;
  filter_noise(same, 12, 9, 0);
  EXPECT_EQ(same, events);
  EXPECT_THROW(filter_noise(same, 11, 9, 5), UsageError);
}

TEST(EventFilter, RefractoryAgainstTheDefinition) {
  const auto events = random_events(600, 4, 3, -200, 5000, 6);
  for (const int64_t dt : {1, 40, 300}) {
    std::vector<Event> expected;
    for (const Event& e : events) {
      const bool dead = std::any_of(expected.begin(), expected.end(), [&](const Event& kept) {
        return kept.x == e.x && kept.y == e.y && e.t_us - kept.t_us < dt;
      });
      if (!dead) expected.push_back(e);
    }
    auto filtered = events;
    filter_refractory(filtered, 4, 3, dt);
    EXPECT_EQ(filtered, expected) << dt;
    EXPECT_TRUE(dt == 1 || filtered.size() < events.size());
  }
  auto same = events;
  filter_refractory(same, 4, 3, 0);
  EXPECT_EQ(same, events);
  EXPECT_THROW(filter_refractory(same, 4, 2, 5), UsageError);
}

}  // namespace spiketrain::framing_test
