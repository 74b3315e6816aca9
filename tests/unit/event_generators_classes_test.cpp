// What tells the classes of the generated recordings apart: for moving textures the time alone, for digits
// their shape.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "spiketrain/data/events/glyph_events.h"
#include "spiketrain/data/events/motion_events.h"

namespace spiketrain::event_generators_classes_test {

using Frame = std::vector<double>;
using Feature = std::function<Frame(const EventStream&)>;

/// Events summed over time, [polarity, y, x].
Frame summed(const EventStream& stream) {
  const auto pixels = static_cast<size_t>(stream.width * stream.height);
  Frame frame(2 * pixels);
  for (const Event& event : stream.events) {
    ++frame[event.polarity * pixels + static_cast<size_t>(event.y * stream.width + event.x)];
  }
  return frame;
}

/// Correlation of the summed frame with itself, moved by up to 5 pixels: shows streaks, wherever they are.
/// Sum and difference of the polarities, and their cross-correlation.
Frame streaks(const EventStream& stream) {
  const Frame frame = summed(stream);
  const int64_t w = stream.width, h = stream.height, pixels = w * h;
  Frame part[2] = {Frame(static_cast<size_t>(pixels)), Frame(static_cast<size_t>(pixels))};
  double power[2] = {};
  for (int64_t sign = 0; sign < 2; ++sign) {
    double mean = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      const double off = frame[static_cast<size_t>(i)], on = frame[static_cast<size_t>(pixels + i)];
      mean += part[sign][static_cast<size_t>(i)] = sign == 0 ? on + off : on - off;
    }
    for (double& value : part[sign]) {
      value -= mean / static_cast<double>(pixels);
      power[sign] += value * value;
    }
  }
  Frame out;
  for (int64_t dy = 0; dy <= 5; ++dy) {
    for (int64_t dx = dy == 0 ? 1 : -5; dx <= 5; ++dx) {
      for (const auto& [a, b] : {std::pair{0, 0}, {1, 1}, {0, 1}, {1, 0}}) {
        double sum = 0;
        for (int64_t y = 0; y + dy < h; ++y) {
          for (int64_t x = std::max<int64_t>(0, -dx); x < std::min(w, w - dx); ++x) {
            sum +=
                part[a][static_cast<size_t>(y * w + x)] * part[b][static_cast<size_t>((y + dy) * w + x + dx)];
          }
        }
        out.push_back(sum / std::sqrt(power[a] * power[b]));
      }
    }
  }
  return out;
}

/// Part of `test` that the nearest class mean of `train` gets right.
double nearest_mean(const EventSource& train, const EventSource& test, const Feature& feature) {
  std::vector<Frame> means(static_cast<size_t>(train.classes()));
  std::vector<double> counts(means.size());
  for (int64_t i = 0; i < train.size(); ++i) {
    const Frame x = feature(train.events(i));
    const auto label = static_cast<size_t>(train.label(i));
    means[label].resize(x.size());
    for (size_t j = 0; j < x.size(); ++j) means[label][j] += x[j];
    ++counts[label];
  }
  for (size_t c = 0; c < means.size(); ++c) {
    for (double& value : means[c]) value /= counts[c];
  }
  double right = 0;
  for (int64_t i = 0; i < test.size(); ++i) {
    const Frame x = feature(test.events(i));
    Frame distance(means.size());
    for (size_t c = 0; c < means.size(); ++c) {
      for (size_t j = 0; j < x.size(); ++j) distance[c] += (x[j] - means[c][j]) * (x[j] - means[c][j]);
    }
    const auto best = std::min_element(distance.begin(), distance.end()) - distance.begin();
    right += best == test.label(i);
  }
  return right / static_cast<double>(test.size());
}

double motion_from(const Feature& feature, double sway) {
  MotionEventsOptions options;
  options.train_size = 1200;
  options.test_size = 600;
  options.sway = sway;
  return nearest_mean(*make_motion_events(options, true), *make_motion_events(options, false), feature);
}

// Chance is 1/6 with a standard deviation of 0.015 over 600 samples: the bound is five and a half of them
// away.  Pure motions (sway = 0) show that the features would find what there is to find.
TEST(MotionEvents, SummedOverTimeTellsNothing) {
  EXPECT_LT(motion_from(summed, 1), 0.25);
  EXPECT_LT(motion_from(streaks, 1), 0.25);
}

TEST(MotionEvents, PureMotionsShowTheirAxisButNotTheirSense) {
  const double axis = motion_from(streaks, 0);
  EXPECT_GT(axis, 0.35);
  EXPECT_LT(axis, 0.57) << "1/2 if the axis is always right";
}

/// [1 2 1] / 4 along both axes; what is beyond the border is as the border.
void smooth(Frame& frame, int64_t w, int64_t h) {
  const auto pass = [&](int64_t lines, int64_t count, int64_t across, int64_t along) {
    Frame line(static_cast<size_t>(count));
    for (int64_t j = 0; j < lines; ++j) {
      double* start = frame.data() + j * across;
      for (int64_t i = 0; i < count; ++i) line[static_cast<size_t>(i)] = start[i * along];
      for (int64_t i = 0; i < count; ++i) {
        const auto before = static_cast<size_t>(std::max<int64_t>(i - 1, 0));
        const auto after = static_cast<size_t>(std::min(i + 1, count - 1));
        start[i * along] = (line[before] + 2 * line[static_cast<size_t>(i)] + line[after]) / 4;
      }
    }
  };
  pass(h, w, w, 1);
  pass(w, h, 1, w);
}

/// Shift along x, y and turn that explain, in least squares, how frame `a` becomes frame `b`:
///   b - a = -(vx d/dx + vy d/dy + turn (px d/dy - py d/dx)) (a + b) / 2.
std::array<double, 3> flow(const Frame& a, const Frame& b, int64_t w, int64_t h) {
  const double turn_unit = 0.408 * static_cast<double>(std::max(w, h));  // as fast as a shift, on average
  double m[3][3] = {}, r[3] = {};
  for (int64_t y = 1; y + 1 < h; ++y) {
    for (int64_t x = 1; x + 1 < w; ++x) {
      const auto at = [&](int64_t dx, int64_t dy) {
        const auto i = static_cast<size_t>((y + dy) * w + x + dx);
        return (a[i] + b[i]) / 2;
      };
      const double gx = (at(1, 0) - at(-1, 0)) / 2, gy = (at(0, 1) - at(0, -1)) / 2;
      const double px = static_cast<double>(x) - static_cast<double>(w - 1) / 2;
      const double py = static_cast<double>(y) - static_cast<double>(h - 1) / 2;
      const double g[3] = {gx, gy, (px * gy - py * gx) / turn_unit};
      const double change = b[static_cast<size_t>(y * w + x)] - a[static_cast<size_t>(y * w + x)];
      for (int i = 0; i < 3; ++i) {
        r[i] -= g[i] * change;
        for (int j = 0; j < 3; ++j) m[i][j] += g[i] * g[j];
      }
    }
  }
  const double ridge = 1e-3 * (m[0][0] + m[1][1] + m[2][2]) + 1e-9;
  for (int i = 0; i < 3; ++i) m[i][i] += ridge;
  for (int i = 0; i < 3; ++i) {  // elimination; the matrix is positive definite
    for (int k = i + 1; k < 3; ++k) {
      const double factor = m[k][i] / m[i][i];
      for (int j = i; j < 3; ++j) m[k][j] -= factor * m[i][j];
      r[k] -= factor * r[i];
    }
  }
  std::array<double, 3> v{};
  for (int i = 2; i >= 0; --i) {
    double sum = r[i];
    for (int j = i + 1; j < 3; ++j) sum -= m[i][j] * v[static_cast<size_t>(j)];
    v[static_cast<size_t>(i)] = sum / m[i][i];
  }
  return v;
}

/// The class from the largest sum of the flow between successive frames of ON - OFF.
int64_t estimate_motion(const EventStream& stream, int64_t duration_us) {
  constexpr int64_t kFrames = 20;
  const int64_t w = stream.width, h = stream.height;
  std::vector<Frame> frames(kFrames, Frame(static_cast<size_t>(w * h)));
  for (const Event& event : stream.events) {
    Frame& frame = frames[static_cast<size_t>(event.t_us * kFrames / duration_us)];
    frame[static_cast<size_t>(event.y * w + event.x)] += event.polarity == 1 ? 1 : -1;
  }
  for (Frame& frame : frames) smooth(frame, w, h);
  std::array<double, 3> sum{};
  for (size_t k = 0; k + 1 < frames.size(); ++k) {
    const std::array<double, 3> v = flow(frames[k], frames[k + 1], w, h);
    for (size_t i = 0; i < 3; ++i) sum[i] += v[i];
  }
  size_t best = 0;
  for (size_t i = 1; i < 3; ++i) {
    if (std::abs(sum[i]) > std::abs(sum[best])) best = i;
  }
  const bool positive = sum[best] > 0;
  return static_cast<int64_t>(2 * best) + (best == 2 ? !positive : positive);
}

TEST(MotionEvents, MotionTellsTheClass) {
  for (double sway : {1.0, 0.0}) {
    MotionEventsOptions options;
    options.test_size = 240;
    options.sway = sway;
    const auto source = make_motion_events(options, false);
    int right = 0;
    for (int64_t i = 0; i < source->size(); ++i) {
      right += estimate_motion(source->events(i), options.duration_us) == source->label(i);
    }
    EXPECT_GT(right, 228) << "sway " << sway << ": less than 95 %";
  }
}

TEST(GlyphEvents, ShapeTellsTheClassButNotToAMean) {
  GlyphEventsOptions options;
  options.train_size = 1500;
  options.test_size = 500;
  const double right =
      nearest_mean(*make_glyph_events(options, true), *make_glyph_events(options, false), summed);
  EXPECT_GT(right, 0.40);
  EXPECT_LT(right, 0.85);
}

}  // namespace spiketrain::event_generators_classes_test
