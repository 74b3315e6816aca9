// Texture and path of the moving patterns; see motion_events.h.
#include "spiketrain/data/events/motion_events.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/math.h"
#include "spiketrain/data/events/camera_set.h"
#include "spiketrain/data/events/event_sets.h"

namespace spiketrain {
namespace {

/// Mean square distance from the center of a square of side 1 is 1 / 6: a turn of speed / (kTurn * side)
/// radians per second moves the pixels as fast, in the mean square, as a shift of `speed`.
constexpr double kTurn = 0.408248290463863;
/// Largest distance any pixel may move between two rendered frames, in pixels; most move a third of it.
constexpr double kMaxStartShift = 0.6;
constexpr int kSegments = 4;

/// Smooth random log intensity on a torus of size() x size() pixels: white noise, blurred by a Gaussian.
/// Symmetric under mirroring, turning and inversion of the contrast.
class Texture {
 public:
  Texture(Rng& rng, int64_t view_side, double grain, double contrast) {
    while (2 * size_ < 3 * view_side) size_ *= 2;  // no pattern is seen twice at a time
    values_.resize(static_cast<size_t>(size_ * size_));
    // White noise of variance 1 has, after the blur, the standard deviation 1 / (2 sqrt(pi) grain).
    // The sum of four random bytes is cheap, symmetric and close enough to normal before a blur.
    constexpr double kByteStd = 147.8;
    const auto gain = static_cast<float>(contrast * 2 * std::sqrt(kPi) * grain / kByteStd);
    for (float& value : values_) {
      const uint32_t word = rng.next();
      const uint32_t sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
      value = gain * (static_cast<float>(sum) - 510);
    }
    const std::vector<float> weights = gaussian(grain);
    blur(weights, 1, size_);
    blur(weights, size_, 1);
  }
  int64_t size() const { return size_; }

  /// The texture seen by a row of pixels: at[i] = texture(x + i * dx, y + i * dy); x, y and their range along
  /// the row must be positive.
  void row(float x, float y, float dx, float dy, int64_t count, float* at) const {
    const auto mask = static_cast<int32_t>(size_ - 1);
    for (int64_t i = 0; i < count; ++i) {
      const float u = x + static_cast<float>(i) * dx, v = y + static_cast<float>(i) * dy;
      const auto left = static_cast<int32_t>(u), top = static_cast<int32_t>(v);
      const float right_part = u - static_cast<float>(left), bottom_part = v - static_cast<float>(top);
      const float* upper = values_.data() + (top & mask) * size_;
      const float* lower = values_.data() + ((top + 1) & mask) * size_;
      const int32_t a = left & mask, b = (left + 1) & mask;
      const float high = upper[a] + right_part * (upper[b] - upper[a]);
      const float low = lower[a] + right_part * (lower[b] - lower[a]);
      at[i] = high + bottom_part * (low - high);
    }
  }

 private:
  static std::vector<float> gaussian(double sigma) {
    const int radius = static_cast<int>(std::ceil(3 * sigma));
    std::vector<float> weights;
    double sum = 0;
    for (int i = -radius; i <= radius; ++i) sum += std::exp(-i * i / (2 * sigma * sigma));
    for (int i = -radius; i <= radius; ++i) {
      weights.push_back(static_cast<float>(std::exp(-i * i / (2 * sigma * sigma)) / sum));
    }
    return weights;
  }

  /// Blurs along one axis: `along` is the distance in memory of neighbours on it, `across` on the other.
  void blur(const std::vector<float>& weights, int64_t along, int64_t across) {
    const auto radius = static_cast<int64_t>(weights.size() / 2);
    std::vector<float> line(static_cast<size_t>(size_ + 2 * radius));
    for (int64_t j = 0; j < size_; ++j) {
      float* start = values_.data() + j * across;
      for (int64_t i = -radius; i < size_ + radius; ++i) {
        line[static_cast<size_t>(i + radius)] = start[(i & (size_ - 1)) * along];
      }
      for (int64_t i = 0; i < size_; ++i) {
        float sum = 0;
        for (size_t k = 0; k < weights.size(); ++k) sum += weights[k] * line[static_cast<size_t>(i) + k];
        start[i * along] = sum;
      }
    }
  }

  int64_t size_ = 16;
  std::vector<float> values_;
};

/// Velocities in one segment, per microsecond: pixels along x and y, radians clockwise (y points down).
struct Motion {
  double x, y, turn;
};

/// 0.7 to 1.4, log-uniform.
double random_factor(Rng& rng) { return std::exp2(rng.uniform(-0.5, 0.5)); }

class MotionEvents final : public EventSource {
 public:
  MotionEvents(const MotionEventsOptions& options, bool train)
      : options_(options), train_(train), sensor_(options, options.seed) {
    check_options(options, "motion-events");
  }
  int64_t size() const override { return train_ ? options_.train_size : options_.test_size; }
  int64_t width() const override { return options_.width; }
  int64_t height() const override { return options_.height; }
  int64_t classes() const override { return static_cast<int64_t>(kMotionNames.size()); }
  std::vector<std::string> class_names() const override { return {kMotionNames.begin(), kMotionNames.end()}; }
  int64_t label(int64_t index) const override {
    ST_CHECK(index >= 0 && index < size(), "motion-events: expected a sample from 0 to ", size() - 1,
             ", got ", index);
    return index % classes();
  }
  std::string describe() const override {
    return str("motion-events ", train_ ? "train" : "test", ": ", size(), " recordings of ", width(), " x ",
               height(), " pixels, ", options_.duration_us, " us, 6 classes");
  }
  EventStream events(int64_t index) const override;

 private:
  int64_t side() const { return std::max(width(), height()); }
  std::array<Motion, kSegments> draw_motions(Rng& rng, int64_t label) const;
  int frames_per_segment() const;
  void show(const Texture& texture, const Motion& motion, double angle, int segment,
            EventCamera& camera) const;
  void look(const Texture& texture, double angle, double x, double y, float* image) const;

  MotionEventsOptions options_;
  bool train_;
  EventSensor sensor_;
};

std::array<Motion, kSegments> MotionEvents::draw_motions(Rng& rng, int64_t label) const {
  // Senses in the segments: the class's, and two different balanced patterns for the others.
  constexpr std::array<std::array<int, kSegments>, 3> kSenses = {
      {{1, 1, 1, 1}, {1, 1, -1, -1}, {1, -1, 1, -1}}};
  const std::vector<int64_t> order = permutation(kSegments, Rng(rng.next64(), Purpose::event_motion));
  const int64_t own = label / 2;
  // left = -x, right = +x, up = -y, down = +y, clockwise = +, counterclockwise = -
  const bool positive = own == 2 ? label % 2 == 0 : label % 2 == 1;
  double velocity[3][kSegments];
  for (int64_t way = 0; way < 3; ++way) {
    const double speed = options_.speed * random_factor(rng) * 1e-6;
    const bool backwards =
        rng.below(2) == 1;  // drawn for the class's own as well: nothing else depends on it
    const double first =
        way == own ? (positive ? speed : -speed) : options_.sway * (backwards ? -speed : speed);
    const auto& senses = kSenses[static_cast<size_t>((way - own + 3) % 3)];
    for (size_t s = 0; s < kSegments; ++s) {
      velocity[way][s] = first * senses[static_cast<size_t>(order[s])];
    }
  }
  std::array<Motion, kSegments> motions;
  for (size_t s = 0; s < kSegments; ++s) {
    motions[s] = {velocity[0][s], velocity[1][s], velocity[2][s] / (kTurn * static_cast<double>(side()))};
  }
  return motions;
}

int MotionEvents::frames_per_segment() const {
  // Both shifts and the turn at their fastest, in the corner of the view.
  const double fastest = options_.speed * std::sqrt(2.0) * (std::sqrt(2.0) + std::sqrt(0.5) / kTurn);
  const double way = fastest * static_cast<double>(options_.duration_us) * 1e-6 / kSegments;
  return std::max(4, static_cast<int>(std::ceil(way / kMaxStartShift)));
}

void MotionEvents::look(const Texture& texture, double angle, double x, double y, float* image) const {
  // A pixel at p from the center sees the texture at (x, y) + R(-angle) p.
  const double c = std::cos(angle), s = std::sin(angle), period = static_cast<double>(texture.size());
  const double left = -static_cast<double>(width() - 1) / 2, top = -static_cast<double>(height() - 1) / 2;
  const double far = std::ceil(std::hypot(left, top) / period) * period;  // keeps coordinates positive
  const double x0 = x - std::floor(x / period) * period + far;
  const double y0 = y - std::floor(y / period) * period + far;
  for (int64_t row = 0; row < height(); ++row) {
    const double down = top + static_cast<double>(row);
    texture.row(static_cast<float>(x0 + c * left + s * down), static_cast<float>(y0 - s * left + c * down),
                static_cast<float>(c), static_cast<float>(-s), width(), image + row * width());
  }
}

void MotionEvents::show(const Texture& texture, const Motion& motion, double angle, int segment,
                        EventCamera& camera) const {
  std::vector<float> image(sensor_.pixels());
  const int steps = frames_per_segment();
  const double length_us = static_cast<double>(options_.duration_us) / kSegments;
  const double step_us = length_us / steps;
  double x = 0, y = 0;
  look(texture, angle, x, y, image.data());
  camera.cut(segment * length_us, image.data());
  for (int step = 1; step <= steps; ++step) {
    // What a shift of the scene does to the point of the texture under the center of the view.
    const double middle = angle + motion.turn * step_us / 2;
    x -= (std::cos(middle) * motion.x + std::sin(middle) * motion.y) * step_us;
    y -= (std::cos(middle) * motion.y - std::sin(middle) * motion.x) * step_us;
    angle += motion.turn * step_us;
    look(texture, angle, x, y, image.data());
    // Ends exactly where the next segment begins.
    camera.frame((segment + static_cast<double>(step) / steps) * length_us, image.data());
  }
}

EventStream MotionEvents::events(int64_t index) const {
  const int64_t kind = label(index);
  const auto split = static_cast<uint64_t>(train_ ? 0 : 1);
  Rng rng(options_.seed, Purpose::event_motion, split, static_cast<uint64_t>(index));
  const std::array<Motion, kSegments> motions = draw_motions(rng, kind);
  const double grain = rng.uniform(1.2, 2.2), contrast = options_.contrast * random_factor(rng);
  EventCamera camera(sensor_, Rng(options_.seed, Purpose::event_camera, split, static_cast<uint64_t>(index)));
  for (int segment = 0; segment < kSegments; ++segment) {
    const double angle = rng.uniform(0, 2 * kPi);
    const Texture texture(rng, side(), grain, contrast);
    show(texture, motions[static_cast<size_t>(segment)], angle, segment, camera);
  }
  return camera.finish();
}

}  // namespace

std::unique_ptr<EventSource> make_motion_events(const MotionEventsOptions& options, bool train) {
  return std::make_unique<MotionEvents>(options, train);
}

namespace {

struct MotionEventsSet final : EventSet {
  static constexpr const char* kDoc =
      "moving textures, the class is the motion, 2 x 34 x 34, 6 classes; built in";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, false, {2, 34, 34}, 6); }
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    ST_CHECK(!o.events.flip, "motion-events: mirrored, left becomes right; set events.flip = false");
    auto options = camera_options<MotionEventsOptions>(o);
    options.speed = o.events.speed;
    options.sway = o.events.sway;
    options.contrast = o.events.contrast;
    return make_motion_events(options, train);
  }
};
ST_REGISTER(DatasetSource, "motion-events", MotionEventsSet);

}  // namespace
}  // namespace spiketrain
