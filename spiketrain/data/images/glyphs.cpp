// Strokes, distortion and rendering of the drawn digits; see glyphs.h.
#include "spiketrain/data/images/glyphs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

#include "spiketrain/base/check.h"
#include "spiketrain/base/math.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/images/image_dataset.h"

namespace spiketrain {
namespace {

struct Point {
  double x, y;
};
/// A corner of a polyline, or an arc of an ellipse between two angles (degrees, y down, 0 = right, 90 =
/// down).
struct Piece {
  double x, y;
  double rx = 0, ry = 0, from = 0, to = 0;
};
using Stroke = std::vector<Piece>;
using Drawing = std::vector<Stroke>;

/// Ways to write each digit in the box [-1, 1] x [-1, 1], x to the right, y down.
const std::array<std::vector<Drawing>, 10>& drawings() {
  static const std::array<std::vector<Drawing>, 10> table = {{
      {{{{0, 0, 0.62, 0.95, -90, 270}}}},
      {{{{-0.35, -0.55}, {0.1, -0.95}, {0.1, 0.95}}},
       {{{0, -0.95}, {0, 0.95}}},
       {{{-0.3, -0.6}, {0.05, -0.95}, {0.05, 0.95}}, {{-0.4, 0.95}, {0.5, 0.95}}}},
      {{{{0, -0.42, 0.58, 0.53, -170, 35}, {-0.6, 0.95}, {0.65, 0.95}}},
       {{{0, -0.45, 0.55, 0.5, -160, 50}, {-0.3, 0.6}, {-0.45, 0.85, 0.2, 0.15, 0, -300}, {0.65, 0.9}}}},
      {{{{-0.05, -0.47, 0.52, 0.47, -150, 90}, {-0.05, 0.48, 0.6, 0.48, -90, 150}}},
       {{{-0.55, -0.92}, {0.5, -0.92}, {-0.05, -0.15}, {-0.05, 0.42, 0.6, 0.55, -90, 150}}}},
      {{{{0.2, -0.95}, {-0.65, 0.3}, {0.7, 0.3}}, {{0.3, -0.3}, {0.3, 0.95}}},
       {{{-0.5, -0.9}, {-0.55, 0.1}, {0.5, 0.1}}, {{0.5, -0.9}, {0.45, 0.95}}}},
      {{{{0.55, -0.92}, {-0.42, -0.92}, {-0.5, -0.1}, {-0.02, 0.35, 0.58, 0.58, -120, 150}}},
       {{{-0.4, -0.9}, {-0.45, -0.15}, {-0.02, 0.38, 0.55, 0.55, -125, 140}}, {{-0.4, -0.9}, {0.55, -0.95}}}},
      {{{{0.45, -0.9}, {-0.2, -0.45}, {-0.05, 0.42, 0.52, 0.52, -165, 195}}},
       {{{0.5, -0.3, 1.0, 0.65, -100, -180}, {0, 0.45, 0.5, 0.5, 180, -180}}}},
      {{{{-0.6, -0.92}, {0.6, -0.92}, {-0.15, 0.95}}},
       {{{-0.6, -0.85}, {0.6, -0.92}, {-0.1, 0.95}}, {{-0.3, 0.05}, {0.5, 0}}},
       {{{-0.6, -0.55}, {-0.55, -0.92}, {0.6, -0.9}, {0.1, 0.1}, {0, 0.95}}}},
      {{{{0, -0.47, 0.46, 0.46, 90, 450}, {0, 0.47, 0.55, 0.47, -90, 270}}}},
      {{{{0.02, -0.42, 0.52, 0.5, 0, -360}, {0.45, 0.3}, {0.1, 0.95}}},
       {{{0.0, -0.45, 0.5, 0.48, 10, -350}, {0.5, 0.95}}}},
  }};
  return table;
}

/// Random smooth bending: one slow wave for each direction and axis.
struct Bend {
  double amplitude, fx, fy, phase;
  static Bend draw(Rng& rng, double strength) {
    return {strength * rng.uniform(0.3, 1.0), rng.uniform(-2.2, 2.2), rng.uniform(-2.2, 2.2),
            rng.uniform(0, 2 * kPi)};
  }
  double at(Point p) const { return amplitude * std::sin(fx * p.x + fy * p.y + phase); }
};

/// Points of one stroke, close enough together that bending them bends the line.
std::vector<Point> trace(const Stroke& stroke, Rng& rng, double jitter) {
  std::vector<Point> points;
  auto line_to = [&](Point to) {
    if (!points.empty()) {
      const Point from = points.back();
      const int steps = 1 + static_cast<int>(std::hypot(to.x - from.x, to.y - from.y) / 0.35);
      for (int i = 1; i < steps; ++i) {
        points.push_back({from.x + (to.x - from.x) * i / steps, from.y + (to.y - from.y) * i / steps});
      }
    }
    points.push_back(to);
  };
  for (const Piece& piece : stroke) {
    const double x = piece.x + jitter * rng.normal(), y = piece.y + jitter * rng.normal();
    if (piece.rx == 0) {
      line_to({x, y});
      continue;
    }
    const double rx = piece.rx * (1 + 1.5 * jitter * rng.normal()),
                 ry = piece.ry * (1 + 1.5 * jitter * rng.normal());
    const double from = piece.from + 60 * jitter * rng.normal(), to = piece.to + 60 * jitter * rng.normal();
    const int steps = 3 + static_cast<int>(std::abs(to - from) / 26);
    for (int i = 0; i <= steps; ++i) {
      const double angle = (from + (to - from) * i / steps) * kPi / 180;
      const Point p = {x + rx * std::cos(angle), y + ry * std::sin(angle)};
      if (i == 0) {
        line_to(p);
      } else {
        points.push_back(p);
      }
    }
  }
  return points;
}

struct Canvas {
  std::array<float, kGlyphSide * kGlyphSide> ink{};  // 0 .. 1

  /// Anti-aliased line with round ends: coverage falls from 1 to 0 over one pixel at `radius`.
  void line(Point a, Point b, double radius, double darkness) {
    const double reach = radius + 0.5;
    const int x0 = std::max(0, static_cast<int>(std::floor(std::min(a.x, b.x) - reach)));
    const int x1 = std::min(kGlyphSide - 1, static_cast<int>(std::ceil(std::max(a.x, b.x) + reach)));
    const int y0 = std::max(0, static_cast<int>(std::floor(std::min(a.y, b.y) - reach)));
    const int y1 = std::min(kGlyphSide - 1, static_cast<int>(std::ceil(std::max(a.y, b.y) + reach)));
    const double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    for (int y = y0; y <= y1; ++y) {
      for (int x = x0; x <= x1; ++x) {
        const double px = x - a.x, py = y - a.y;
        const double t = length2 > 0 ? std::clamp((px * dx + py * dy) / length2, 0.0, 1.0) : 0.0;
        const double ex = px - t * dx, ey = py - t * dy, distance2 = ex * ex + ey * ey;
        if (distance2 >= reach * reach) continue;
        const double cover = std::min(1.0, reach - std::sqrt(distance2));
        float& pixel = ink[static_cast<size_t>(y * kGlyphSide + x)];
        pixel = std::max(pixel, static_cast<float>(cover * darkness));
      }
    }
  }
};

void draw_digit(int digit, Rng& rng, Canvas& canvas) {
  const auto& ways = drawings()[static_cast<size_t>(digit)];
  const Drawing& drawing = ways[rng.below(ways.size())];
  const double rotation = rng.uniform(-0.25, 0.25), shear = rng.uniform(-0.35, 0.2);
  const double scale_x = rng.uniform(7.0, 10.0), scale_y = rng.uniform(8.0, 10.5);
  const double center_x = 13.5 + rng.uniform(-2.0, 2.0), center_y = 13.5 + rng.uniform(-2.0, 2.0);
  const double radius = rng.uniform(0.6, 1.6), darkness = rng.uniform(0.65, 1.0);
  const Bend bends[4] = {Bend::draw(rng, 0.16), Bend::draw(rng, 0.16), Bend::draw(rng, 0.16),
                         Bend::draw(rng, 0.16)};
  const double c = std::cos(rotation), s = std::sin(rotation);
  for (const Stroke& stroke : drawing) {
    std::vector<Point> points = trace(stroke, rng, 0.06);
    for (Point& p : points) {
      const Point bent = {p.x + bends[0].at(p) + bends[1].at(p), p.y + bends[2].at(p) + bends[3].at(p)};
      const double x = scale_x * (bent.x + shear * bent.y), y = scale_y * bent.y;
      p = {center_x + c * x - s * y, center_y + s * x + c * y};
    }
    for (size_t i = 1; i < points.size(); ++i) canvas.line(points[i - 1], points[i], radius, darkness);
  }
}

void draw_specks(Rng& rng, Canvas& canvas) {
  for (uint64_t n = rng.below(4); n > 0; --n) {
    const Point a = {rng.uniform(0, kGlyphSide - 1), rng.uniform(0, kGlyphSide - 1)};
    const Point b = {a.x + rng.uniform(-4, 4), a.y + rng.uniform(-4, 4)};
    canvas.line(a, b, rng.uniform(0.2, 0.7), rng.uniform(0.3, 0.9));
  }
}

/// Adds grain and turns ink into bytes.  Grain is the sum of four random bytes: close to normal, and cheap.
void finish(Rng& rng, const Canvas& canvas, uint8_t* out) {
  constexpr double kByteStd = 147.8;  // of the sum of four uniform bytes
  const double grain = rng.uniform(0.0, 0.1) * 255 / kByteStd, paper = rng.uniform(0.0, 0.06) * 255;
  for (size_t i = 0; i < canvas.ink.size(); ++i) {
    const uint32_t word = rng.next();
    const double noise =
        static_cast<double>((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24)) - 510.0;
    const double value = paper + (255 - paper) * static_cast<double>(canvas.ink[i]) + grain * noise;
    out[i] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5);
  }
}

}  // namespace

int draw_glyph(uint64_t seed, GlyphSplit split, uint64_t index, uint8_t* out) {
  Rng rng(seed, Purpose::glyphs, static_cast<uint64_t>(split), index);
  const int digit = static_cast<int>(rng.below(10));
  Canvas canvas;
  draw_digit(digit, rng, canvas);
  draw_specks(rng, canvas);
  finish(rng, canvas, out);
  return digit;
}

RawImages draw_glyphs(uint64_t seed, GlyphSplit split, int64_t count) {
  constexpr int64_t kMost = 10'000'000, kPixels = kGlyphSide * kGlyphSide;
  ST_CHECK(count >= 0 && count <= kMost, "glyphs: expected a size from 0 to ", kMost, ", got ", count);
  RawImages raw;
  raw.height = raw.width = kGlyphSide;
  raw.pixels.resize(static_cast<size_t>(count * kPixels));
  raw.labels.resize(static_cast<size_t>(count));
  const int64_t threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 8);
  std::vector<std::thread> workers;
  for (int64_t part = 0; part < threads; ++part) {
    workers.emplace_back([&, begin = count * part / threads, end = count * (part + 1) / threads] {
      for (int64_t i = begin; i < end; ++i) {
        raw.labels[static_cast<size_t>(i)] = static_cast<uint8_t>(
            draw_glyph(seed, split, static_cast<uint64_t>(i), raw.pixels.data() + i * kPixels));
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return raw;
}

namespace {

struct Glyphs final : ImageSource {
  static constexpr const char* kDoc = "drawn digits, 1 x 28 x 28, 10 classes; built in, needs no files";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override {
    return {part_name(),
            kDoc,
            false,
            {1, kGlyphSide, kGlyphSide},
            Batch::Form::image,
            TargetSpec::class_index(10)};
  }
  RawImages read(const DataOptions& o, bool train) const override {
    return draw_glyphs(o.seed, train ? GlyphSplit::train : GlyphSplit::test,
                       train ? o.train_size : o.test_size);
  }
  ImageTransform plain() const override { return {{kGlyphMean}, {kGlyphStd}}; }
};
ST_REGISTER(DatasetSource, "glyphs", Glyphs);

}  // namespace
}  // namespace spiketrain
