// Drawn digits: keyed by (seed, split, index), legible, balanced.
#include "spiketrain/data/images/glyphs.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/data/source.h"

namespace spiketrain::glyphs_test {

constexpr size_t kPixels = kGlyphSide * kGlyphSide;

TEST(Glyphs, SampleDependsOnKeyOnly) {
  const RawImages many = draw_glyphs(3, GlyphSplit::train, 200);
  const RawImages few = draw_glyphs(3, GlyphSplit::train, 7);
  EXPECT_EQ(few.pixels, std::vector<uint8_t>(many.pixels.begin(), many.pixels.begin() + 7 * kPixels));
  std::array<uint8_t, kPixels> one;
  for (uint64_t i : {0, 99, 199}) {
    EXPECT_EQ(draw_glyph(3, GlyphSplit::train, i, one.data()), many.labels[i]);
    EXPECT_TRUE(std::equal(one.begin(), one.end(), many.pixels.begin() + static_cast<int64_t>(i * kPixels)));
  }
  EXPECT_NE(draw_glyphs(3, GlyphSplit::test, 7).pixels, few.pixels);
  EXPECT_NE(draw_glyphs(4, GlyphSplit::train, 7).pixels, few.pixels);
  EXPECT_EQ(draw_glyphs(3, GlyphSplit::test, 0).size(), 0);
  EXPECT_THROW(draw_glyphs(3, GlyphSplit::test, -1), UsageError);
}

TEST(Glyphs, NormalisationConstantsFitTheDefaultSet) {
  const RawImages raw = draw_glyphs(1, GlyphSplit::train, 10000);
  double sum = 0, sum2 = 0;
  for (uint8_t pixel : raw.pixels) sum += pixel, sum2 += double{1} * pixel * pixel;
  const double n = static_cast<double>(raw.pixels.size()), mean = sum / n / 255;
  EXPECT_NEAR(mean, kGlyphMean, 0.002);
  EXPECT_NEAR(std::sqrt(sum2 / n / 255 / 255 - mean * mean), kGlyphStd, 0.002);
  std::array<int, 10> counts{};
  for (uint8_t label : raw.labels) ++counts[label];
  for (int count : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST(Glyphs, EveryGlyphHasInkMostlyInside) {
  const RawImages raw = draw_glyphs(1, GlyphSplit::test, 2000);
  int touching = 0;
  for (int64_t i = 0; i < raw.size(); ++i) {
    const uint8_t* image = raw.pixels.data() + i * static_cast<int64_t>(kPixels);
    int dark = 0, edge = 0;
    for (int y = 0; y < kGlyphSide; ++y) {
      for (int x = 0; x < kGlyphSide; ++x) {
        const bool ink = image[y * kGlyphSide + x] > 128;
        dark += ink;
        edge += ink && (y == 0 || x == 0 || y == kGlyphSide - 1 || x == kGlyphSide - 1);
      }
    }
    EXPECT_GE(dark, 12) << i;
    EXPECT_LE(dark, 350) << i;
    touching += edge > 2;
  }
  EXPECT_LT(touching, 200) << "too many digits leave the image";
}

TEST(Glyphs, DatasetSizesAndSplits) {
  DataOptions options;
  options.train_size = 50;
  options.test_size = 20;
  EXPECT_EQ(open_dataset(options)->size(), 50);
  options.validation = 10;
  EXPECT_EQ(open_dataset(options)->size(), 40);
  options.split = "validation";
  EXPECT_EQ(open_dataset(options)->size(), 10);
  options.split = "test";
  EXPECT_EQ(open_dataset(options)->size(), 20);
  EXPECT_EQ(open_dataset(options)->target().classes, 10);
}

}  // namespace spiketrain::glyphs_test
