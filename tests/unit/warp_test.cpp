// Turned and scaled images, alone and as augmentation of a data set.
#include "spiketrain/data/images/warp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/data/source.h"

namespace spiketrain::warp_test {

constexpr double kPi = 3.14159265358979323846;

std::vector<uint8_t> ramp(int64_t height, int64_t width) {
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>((i * 37 + 11) % 256);
  return pixels;
}

std::vector<uint8_t> warped(const std::vector<uint8_t>& from, int64_t height, int64_t width, double angle,
                            double scale) {
  std::vector<uint8_t> to(from.size());
  warp_image(from.data(), height, width, angle, scale, to.data());
  return to;
}

TEST(Warp, QuarterTurnsMovePixels) {
  for (const int64_t side : {1, 4, 5}) {
    const auto image = ramp(side, side), turned = warped(image, side, side, kPi / 2, 1);
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x)  // x axis to y axis: what was at (y, x) is at (x, side-1-y)
        EXPECT_EQ(turned[static_cast<size_t>(x * side + side - 1 - y)],
                  image[static_cast<size_t>(y * side + x)])
            << side;
    EXPECT_EQ(warped(turned, side, side, -kPi / 2, 1), image);
  }
  EXPECT_EQ(warped(ramp(3, 7), 3, 7, 0, 1), ramp(3, 7));
}

TEST(Warp, ScalesAboutTheCentreAndIsBlackOutside) {
  std::vector<uint8_t> image(49, 200);
  const auto half = warped(image, 7, 7, 0, 0.5);
  for (int64_t y = 0; y < 7; ++y)
    for (int64_t x = 0; x < 7; ++x) {
      const bool inside = std::abs(y - 3) <= 1 && std::abs(x - 3) <= 1;
      EXPECT_EQ(half[static_cast<size_t>(7 * y + x)], inside ? 200 : 0) << y << " " << x;
    }
  std::vector<uint8_t> line(5, 0);
  line[2] = 100;
  EXPECT_EQ(warped(line, 1, 5, 0, 2), (std::vector<uint8_t>{0, 50, 100, 50, 0}));  // in between
}

TEST(Warp, AugmentsTrainingImagesOnly) {
  DataOptions options;
  options.name = "glyphs";
  options.train_size = 20, options.test_size = 5;
  options.mean = 0, options.std = 1;
  const auto plain = open_dataset(options);
  const size_t pixels = static_cast<size_t>(std::accumulate(
      plain->sample().shape.begin(), plain->sample().shape.end(), int64_t{1}, std::multiplies<>()));
  const auto read = [&](const Dataset& data, int64_t epoch) {
    std::vector<float> x(pixels);
    data.read(3, epoch, x.data());
    return x;
  };
  const auto mass = [](const std::vector<float>& x) { return std::accumulate(x.begin(), x.end(), 0.0); };
  for (const bool turn : {true, false}) {
    DataOptions other = options;
    (turn ? other.rotate : other.zoom) = turn ? 15 : 0.2;
    const auto data = open_dataset(other);
    EXPECT_NE(data->describe().find("augmented"), std::string::npos);
    EXPECT_EQ(read(*data, 1), read(*data, 1));
    EXPECT_NE(read(*data, 1), read(*data, 2));
    EXPECT_NE(read(*data, 1), read(*plain, 1));
    double least = 1e9, most = 0;
    for (int64_t epoch = 0; epoch < 50; ++epoch) {
      const double ratio = mass(read(*data, epoch)) / mass(read(*plain, epoch));
      least = std::min(least, ratio);
      most = std::max(most, ratio);
    }
    EXPECT_GT(least, turn ? 0.85 : 1 / 1.5);
    EXPECT_LT(most, turn ? 1.15 : 1.5);
    if (!turn) {
      EXPECT_LT(least, 0.9);
      EXPECT_GT(most, 1.1);
    }
    other.split = options.split = "test";
    EXPECT_EQ(read(*open_dataset(other), 1), read(*open_dataset(options), 1));
    options.split = "train";
  }
}

TEST(Warp, RefusesWhatIsNoAngleOrIsNoImage) {
  DataOptions options;
  options.name = "glyphs";
  options.rotate = -1;
  EXPECT_THROW(open_dataset(options), UsageError);
  options.rotate = 0, options.zoom = 1;
  EXPECT_THROW(open_dataset(options), UsageError);
  options.zoom = 0.1, options.name = "glyph-events", options.steps = 4;
  EXPECT_THROW(open_dataset(options), UsageError);
}

}  // namespace spiketrain::warp_test
