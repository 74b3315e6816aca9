// The simulated event camera and the two generators that need no file.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "spiketrain/data/events/glyph_events.h"
#include "spiketrain/data/events/motion_events.h"

namespace spiketrain::event_generators_test {

using Frame = std::vector<double>;

/// 8 x 8 pixels without imperfections.
EventCameraOptions ideal() {
  EventCameraOptions options;
  options.width = options.height = 8;
  options.threshold_sigma = options.noise_hz = 0;
  options.refractory_us = 0;
  return options;
}

EventCamera camera_of(const EventSensor& sensor, uint64_t index = 0) {
  return {sensor, Rng(1, Purpose::event_camera, 0, index)};
}

/// Shows a scene in which pixel 10 has log intensity `values` at `times` and the others stay dark.
EventStream record(const EventSensor& sensor, const std::vector<double>& times,
                   const std::vector<double>& values) {
  EventCamera camera = camera_of(sensor);
  std::vector<float> image(sensor.pixels(), -1.0f);
  for (size_t i = 0; i < times.size(); ++i) {
    image[10] = static_cast<float>(values[i]);
    camera.frame(times[i], image.data());
  }
  return camera.finish();
}

TEST(EventCamera, CountAndTimesFollowTheLogRatio) {
  EventCameraOptions options = ideal();
  options.threshold = 0.25;
  const EventSensor sensor(options, 1);
  // Brightness times e^1.6 within 10 ms: 6 ON; back within 5 ms: from reference 1.5 down, 5 OFF, the last at
  // 0.25, since 0.1 is reached after that.
  const EventStream events = record(sensor, {0, 10000, 15000}, {0, 1.6, 0.1});
  ASSERT_EQ(events.events.size(), 11u);
  for (size_t i = 0; i < 11; ++i) {
    const Event& event = events.events[i];
    EXPECT_EQ(event.polarity, i < 6 ? 1 : 0) << i;
    EXPECT_EQ(event.y * 8 + event.x, 10);
    const double expected = i < 6 ? 10000 * 0.25 * static_cast<double>(i + 1) / 1.6
                                  : 10000 + 5000 * (1.6 - 0.25 * static_cast<double>(11 - i)) / 1.5;
    EXPECT_NEAR(static_cast<double>(event.t_us), expected, 1) << i;
  }
  for (int parts : {1, 2, 7, 64}) {  // the same ramp, shown in more frames
    std::vector<double> times, values;
    for (int i = 0; i <= parts; ++i) {
      times.push_back(10000.0 * i / parts);
      values.push_back(1.6 * i / parts);
    }
    const EventStream ramp = record(sensor, times, values);
    ASSERT_EQ(ramp.events.size(), 6u) << parts;
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_NEAR(static_cast<double>(ramp.events[i].t_us), static_cast<double>(events.events[i].t_us), 1);
    }
  }
}

TEST(EventCamera, BelowTheThresholdNothingFires) {
  const EventSensor sensor(ideal(), 1);
  EXPECT_TRUE(record(sensor, {0, 1000, 2000, 3000}, {0, 0.24, -0.24, 0.24}).events.empty());
}

TEST(EventCamera, RefractoryTimeIsKept) {
  for (int64_t refractory : {0, 700}) {
    EventCameraOptions options = ideal();
    options.refractory_us = refractory;
    options.noise_hz = 2000;
    const EventSensor sensor(options, 1);
    EventCamera camera = camera_of(sensor);
    std::vector<float> image(sensor.pixels());
    for (int i = 0; i <= 200; ++i) {
      std::fill(image.begin(), image.end(), static_cast<float>(std::sin(0.5 * i)));
      camera.frame(500.0 * i, image.data());
    }
    std::map<std::pair<int, int>, int64_t> last;
    int64_t shortest = std::numeric_limits<int64_t>::max();
    for (const Event& event : camera.finish().events) {
      const auto [at, first] = last.try_emplace({event.x, event.y}, event.t_us);
      if (!first) shortest = std::min(shortest, event.t_us - at->second);
      at->second = event.t_us;
    }
    if (refractory == 0) {
      EXPECT_LT(shortest, 100) << "the scene does not test the refractory time";
    } else {
      EXPECT_GE(shortest, refractory);
      EXPECT_LT(shortest, refractory + 100);
    }
  }
}

TEST(EventCamera, BackgroundEventsHaveTheirRate) {
  EventCameraOptions options = ideal();
  options.noise_hz = 50;
  const EventSensor sensor(options, 1);
  const EventStream events = record(sensor, {0, 1e6, 4e6}, {0, 0, 0});
  const double expected = 50 * 64 * 4;  // a quiet scene of 4 s
  EXPECT_NEAR(static_cast<double>(events.events.size()), expected, 5 * std::sqrt(expected));
  std::array<double, 64> pixels{};
  double on = 0, late = 0;
  for (const Event& event : events.events) {
    ++pixels[static_cast<size_t>(event.y * 8 + event.x)];
    on += event.polarity;
    late += event.t_us >= 3000000;
  }
  for (double count : pixels) EXPECT_NEAR(count, 200, 5 * std::sqrt(200));
  EXPECT_NEAR(on, expected / 2, 5 * std::sqrt(expected / 4));
  EXPECT_NEAR(late, expected / 4, 5 * std::sqrt(expected / 4));
}

TEST(EventCamera, ThresholdsBelongToTheSensor) {
  EventCameraOptions options;
  options.width = options.height = 64;
  options.threshold = 0.3;
  options.threshold_sigma = 0.05;
  const EventSensor sensor(options, 7), again(options, 7), other(options, 8);
  EXPECT_EQ(sensor.on(), again.on());
  EXPECT_NE(sensor.on(), other.on());
  EXPECT_NE(sensor.on(), sensor.off());
  double sum = 0, squares = 0;
  for (const std::vector<float>* part : {&sensor.on(), &sensor.off()}) {
    for (float c : *part) {
      sum += static_cast<double>(c);
      squares += static_cast<double>(c) * static_cast<double>(c);
    }
  }
  const double n = 2 * 64 * 64, mean = sum / n;
  EXPECT_NEAR(mean, 0.3, 5 * 0.05 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n - mean * mean), 0.05, 5 * 0.05 / std::sqrt(2 * n));
  options.threshold_sigma = 1;
  const EventSensor wild(options, 7);
  EXPECT_FLOAT_EQ(*std::min_element(wild.on().begin(), wild.on().end()), 0.06f);
}

TEST(EventCamera, CutIsSilentAndScattersTheReference) {
  EventCameraOptions options = ideal();
  options.width = options.height = 64;
  const EventSensor sensor(options, 1);
  EventCamera camera = camera_of(sensor);
  std::vector<float> dark(sensor.pixels(), -3.0f), bright(sensor.pixels(), 3.0f);
  camera.frame(0, dark.data());
  camera.cut(1000, bright.data());
  camera.frame(2000, bright.data());
  // L - L_ref is uniform in (-C, C), so a rise by C/2 makes a quarter of the pixels fire once.
  std::vector<float> brighter(sensor.pixels(), 3.125f);
  camera.frame(3000, brighter.data());
  const EventStream events = camera.finish();
  EXPECT_NEAR(static_cast<double>(events.events.size()), 1024, 5 * std::sqrt(4096 * 0.25 * 0.75));
  for (const Event& event : events.events) {
    EXPECT_GE(event.t_us, 2000);
    EXPECT_EQ(event.polarity, 1);
  }
}

TEST(EventCamera, ChecksItsFrames) {
  const EventSensor sensor(ideal(), 1);
  EXPECT_THROW(record(sensor, {0, 0}, {0, 1}), UsageError);
  EXPECT_THROW(record(sensor, {0, 1}, {0, std::numeric_limits<double>::infinity()}), UsageError);
  EventCameraOptions options;
  options.threshold = 0;
  EXPECT_THROW(EventSensor(options, 1), UsageError);
  options.threshold = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(EventSensor(options, 1), UsageError);
}

using Make = std::function<std::unique_ptr<EventSource>(uint64_t seed, bool train)>;
struct Generator {
  const char* name;
  int64_t classes;
  bool in_turn;
  Make make, make_wide;
};

template <class Options, class Function>
Generator generator(const char* name, int64_t classes, bool in_turn, Function make) {
  const auto with = [make](int64_t width, int64_t height) {
    return [=](uint64_t seed, bool train) {
      Options options;
      options.seed = seed;
      options.train_size = 600;
      options.test_size = 120;
      options.width = width;
      options.height = height;
      return make(options, train);
    };
  };
  return {name, classes, in_turn, with(34, 34), with(50, 20)};
}

class EventGenerators : public ::testing::TestWithParam<Generator> {};
INSTANTIATE_TEST_SUITE_P(
    All, EventGenerators,
    ::testing::Values(generator<GlyphEventsOptions>("glyph", 10, false, make_glyph_events),
                      generator<MotionEventsOptions>("motion", 6, true, make_motion_events)),
    [](const auto& info) { return std::string(info.param.name); });

TEST_P(EventGenerators, SampleDependsOnItsKeyOnly) {
  const auto source = GetParam().make(3, true), again = GetParam().make(3, true);
  std::vector<EventStream> forward(8), backward(8);
  for (int64_t i = 0; i < 8; ++i) forward[static_cast<size_t>(i)] = source->events(i);
  std::vector<std::thread> threads;
  for (int64_t part = 0; part < 2; ++part) {
    threads.emplace_back([&, part] {
      for (int64_t i = 7 - part; i >= 0; i -= 2) backward[static_cast<size_t>(i)] = again->events(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto test = GetParam().make(3, false), other = GetParam().make(4, true);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(forward[i].events, backward[i].events) << i;
    EXPECT_NE(forward[i].events, test->events(static_cast<int64_t>(i)).events) << i;
    EXPECT_NE(forward[i].events, other->events(static_cast<int64_t>(i)).events) << i;
    EXPECT_NE(forward[i].events, forward[(i + 1) % 8].events) << i;
  }
}

TEST_P(EventGenerators, EventsAreSortedAndInside) {
  for (const Make& make : {GetParam().make, GetParam().make_wide}) {
    const auto source = make(1, true);
    std::array<double, 3> thirds{};
    double total = 0, on = 0;
    for (int64_t i = 0; i < 60; ++i) {
      const EventStream stream = source->events(i);
      EXPECT_EQ(stream.width, source->width());
      EXPECT_EQ(stream.height, source->height());
      EXPECT_TRUE(std::is_sorted(stream.events.begin(), stream.events.end(),
                                 [](const Event& a, const Event& b) { return a.t_us < b.t_us; }));
      for (const Event& event : stream.events) {
        ASSERT_TRUE(event.t_us >= 0 && event.t_us < 300000 && event.x < stream.width &&
                    event.y < stream.height && event.polarity < 2);
        ++thirds[static_cast<size_t>(event.t_us / 100000)];
        on += event.polarity;
      }
      total += static_cast<double>(stream.events.size());
    }
    EXPECT_NEAR(on / total, 0.5, 0.05);
    for (double part : thirds) EXPECT_NEAR(part / total, 1.0 / 3, 0.1);
    if (source->width() == source->height()) {
      EXPECT_GT(total / 60, 3000);
      EXPECT_LT(total / 60, 6000);
    }
  }
}

TEST_P(EventGenerators, SizesLabelsAndErrors) {
  const auto train = GetParam().make(1, true), test = GetParam().make(1, false);
  EXPECT_EQ(train->size(), 600);
  EXPECT_EQ(test->size(), 120);
  EXPECT_EQ(train->classes(), GetParam().classes);
  EXPECT_EQ(train->polarities(), 2);
  std::vector<int> counts(static_cast<size_t>(GetParam().classes));
  for (int64_t i = 0; i < train->size(); ++i) ++counts.at(static_cast<size_t>(train->label(i)));
  const double expected = 600.0 / static_cast<double>(GetParam().classes);
  for (int count : counts) EXPECT_NEAR(count, expected, GetParam().in_turn ? 0 : 5 * std::sqrt(expected));
  EXPECT_NE(train->describe().find("train: 600 recordings of 34 x 34"), std::string::npos);
  EXPECT_THROW(train->events(600), UsageError);
  EXPECT_THROW(train->label(-1), UsageError);
}

TEST(GlyphEvents, OptionsAreChecked) {
  GlyphEventsOptions options;
  options.width = 3;
  EXPECT_THROW(make_glyph_events(options, true), UsageError);
  options = {};
  options.duration_us = 0;
  EXPECT_THROW(make_glyph_events(options, true), UsageError);
}

TEST(MotionEvents, OptionsAreChecked) {
  MotionEventsOptions options;
  options.sway = 2;
  EXPECT_THROW(make_motion_events(options, true), UsageError);
}

TEST(MotionEvents, SegmentsJoinForEveryLength) {
  for (int64_t duration : {1000, 100000, 300001, 999999}) {
    for (double speed : {0.0, 7.0, 40.0, 333.0}) {
      MotionEventsOptions options;
      options.width = options.height = 8;
      options.duration_us = duration;
      options.speed = speed;
      EXPECT_NO_THROW(make_motion_events(options, true)->events(0)) << duration << " us, " << speed;
    }
  }
}

TEST(MotionEvents, WithoutMotionOnlyNoiseIsLeft) {
  MotionEventsOptions options;
  options.speed = 0;
  options.noise_hz = 0;
  EXPECT_TRUE(make_motion_events(options, true)->events(0).events.empty());
  options.noise_hz = 2;
  options.refractory_us = 0;
  const auto source = make_motion_events(options, true);
  double events = 0;
  for (int64_t i = 0; i < 20; ++i) events += static_cast<double>(source->events(i).events.size());
  const double expected = 20 * 2 * 34 * 34 * 0.3;
  EXPECT_NEAR(events, expected, 5 * std::sqrt(expected));
}

}  // namespace spiketrain::event_generators_test
