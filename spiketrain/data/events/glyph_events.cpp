// Scene and camera path of the digits seen by an event camera; see glyph_events.h.
#include "spiketrain/data/events/glyph_events.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "spiketrain/base/math.h"
#include "spiketrain/data/events/camera_set.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/images/glyphs.h"

namespace spiketrain {
namespace {

/// The glyph with a border of paper, wide enough for the sensor at every point of the path.
constexpr int kBorder = 10, kPage = kGlyphSide + 2 * kBorder;
/// Sensor pixels, on the shorter side, that one glyph with its margin fills.
constexpr double kViewSide = 34;
/// Intensity of black relative to white: a screen is never quite dark.
constexpr double kBlack = 0.2;
/// Largest shift between two rendered frames, in pixels of the glyph.
constexpr double kMaxShift = 0.25;

struct GlyphPoint {
  double x, y;
};
/// Corners of the camera's path, in pixels of the glyph.
constexpr std::array<GlyphPoint, 4> kPath = {{{-3, -1.5}, {0, 1.5}, {3, -1.5}, {-3, -1.5}}};

using Page = std::array<float, kPage * kPage>;

/// Log intensity of a glyph (ink shines, as on a screen) on paper of the mean brightness of its border.
Page make_page(const uint8_t* glyph) {
  std::array<float, 256> level;
  for (size_t i = 0; i < level.size(); ++i) {
    level[i] = static_cast<float>(std::log(kBlack + (1 - kBlack) * static_cast<double>(i) / 255));
  }
  const auto at = [&](int y, int x) { return level[glyph[y * kGlyphSide + x]]; };
  constexpr int kLast = kGlyphSide - 1;
  float border = 0;
  for (int i = 0; i < kLast; ++i) border += at(0, i) + at(i, kLast) + at(kLast, i + 1) + at(i + 1, 0);
  Page page;
  page.fill(border / (4 * kLast));
  for (int y = 0; y < kGlyphSide; ++y) {
    for (int x = 0; x < kGlyphSide; ++x) {
      page[static_cast<size_t>((y + kBorder) * kPage + x + kBorder)] = at(y, x);
    }
  }
  return page;
}

/// Where the pixels of one line of the sensor fall on the page, for linear interpolation.
struct Places {
  std::vector<int> low;
  std::vector<float> part;

  void set(int64_t count, double scale, double shift) {
    low.resize(static_cast<size_t>(count));
    part.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      const double centered = (static_cast<double>(i) - static_cast<double>(count - 1) / 2) / scale;
      const double at = std::clamp(centered + shift + (kPage - 1) / 2.0, 0.0, kPage - 1.001);
      low[static_cast<size_t>(i)] = static_cast<int>(at);
      part[static_cast<size_t>(i)] = static_cast<float>(at - std::floor(at));
    }
  }
};

class GlyphEvents final : public EventSource {
 public:
  GlyphEvents(const GlyphEventsOptions& options, bool train)
      : options_(options), train_(train), sensor_(options, options.seed) {
    check_options(options, "glyph-events");
  }
  int64_t size() const override { return train_ ? options_.train_size : options_.test_size; }
  int64_t width() const override { return options_.width; }
  int64_t height() const override { return options_.height; }
  int64_t classes() const override { return 10; }
  int64_t label(int64_t index) const override {
    std::array<uint8_t, kGlyphSide * kGlyphSide> glyph;
    return draw(index, glyph.data());
  }
  std::string describe() const override {
    return str("glyph-events ", train_ ? "train" : "test", ": ", size(), " recordings of ", width(), " x ",
               height(), " pixels, ", options_.duration_us, " us, 10 classes");
  }

  EventStream events(int64_t index) const override {
    std::array<uint8_t, kGlyphSide * kGlyphSide> glyph;
    draw(index, glyph.data());
    const Page page = make_page(glyph.data());
    EventCamera camera(sensor_, Rng(options_.seed, Purpose::event_camera, static_cast<uint64_t>(split()),
                                    static_cast<uint64_t>(index)));
    std::vector<float> image(sensor_.pixels());
    const double saccade_us = static_cast<double>(options_.duration_us) / 3;
    for (size_t leg = 0; leg < 3; ++leg) {
      const GlyphPoint from = kPath[leg], to = kPath[leg + 1];
      // The fastest moment of a saccade is twice as fast as its mean.
      const int steps = static_cast<int>(std::ceil(2 * std::hypot(to.x - from.x, to.y - from.y) / kMaxShift));
      for (int step = leg == 0 ? 0 : 1; step <= steps; ++step) {
        const double time = static_cast<double>(step) / steps;
        const double way = time - std::sin(2 * kPi * time) / (2 * kPi);
        look(page, {from.x + way * (to.x - from.x), from.y + way * (to.y - from.y)}, image.data());
        camera.frame((static_cast<double>(leg) + time) * saccade_us, image.data());
      }
    }
    return camera.finish();
  }

 private:
  GlyphSplit split() const { return train_ ? GlyphSplit::train : GlyphSplit::test; }
  int draw(int64_t index, uint8_t* glyph) const {
    ST_CHECK(index >= 0 && index < size(), "glyph-events: expected a sample from 0 to ", size() - 1, ", got ",
             index);
    return draw_glyph(options_.seed, split(), static_cast<uint64_t>(index), glyph);
  }

  /// What the sensor sees with its center `shift` away from that of the page.
  void look(const Page& page, GlyphPoint shift, float* image) const {
    const double scale = static_cast<double>(std::min(width(), height())) / kViewSide;
    Places columns, rows;
    columns.set(width(), scale, shift.x);
    rows.set(height(), scale, shift.y);
    for (size_t y = 0; y < rows.low.size(); ++y) {
      const float* top = page.data() + rows.low[y] * kPage;
      const float* bottom = top + kPage;
      for (size_t x = 0; x < columns.low.size(); ++x) {
        const int c = columns.low[x];
        const float a = top[c] + columns.part[x] * (top[c + 1] - top[c]);
        const float b = bottom[c] + columns.part[x] * (bottom[c + 1] - bottom[c]);
        *image++ = a + rows.part[y] * (b - a);
      }
    }
  }

  GlyphEventsOptions options_;
  bool train_;
  EventSensor sensor_;
};

}  // namespace

std::unique_ptr<EventSource> make_glyph_events(const GlyphEventsOptions& options, bool train) {
  return std::make_unique<GlyphEvents>(options, train);
}

namespace {

struct GlyphEventsSet final : EventSet {
  static constexpr const char* kDoc =
      "drawn digits before a simulated event camera, 2 x 34 x 34, 10 classes; built in";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, false, {2, 34, 34}, 10); }
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    return make_glyph_events(camera_options<GlyphEventsOptions>(o), train);
  }
};
ST_REGISTER(DatasetSource, "glyph-events", GlyphEventsSet);

}  // namespace
}  // namespace spiketrain
