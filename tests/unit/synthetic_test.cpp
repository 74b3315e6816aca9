// The built-in sets for regression: targets are what the head comments say, statistics, and what keys a
// sample.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/data/source.h"

namespace spiketrain::synthetic_test {

DataOptions named(const std::string& name, int64_t steps, int64_t size = 2000) {
  DataOptions options;
  options.name = name;
  options.steps = steps;
  options.train_size = size;
  options.test_size = size;
  return options;
}

struct Wave {
  std::vector<float> x, y;
};
Wave wave(const Dataset& data, int64_t index) {
  Wave one{std::vector<float>(static_cast<size_t>(data.sample().numel())), std::vector<float>(2)};
  data.read(index, 0, one.x.data());
  data.read_target(index, one.y.data());
  return one;
}

TEST(Waves, TargetsAreAmplitudeAndFrequency) {
  constexpr int64_t kSteps = 40;
  const auto data = open_dataset(named("waves", kSteps, 200));
  EXPECT_EQ(data->sample(), SampleSpec::frames(kSteps, {8}, torch::kFloat));
  EXPECT_EQ(data->target(), TargetSpec::values({2}));
  EXPECT_FALSE(data->has_lengths());
  EXPECT_THROW(data->class_of(0), UsageError);
  const double turn = 2 * std::acos(-1.0);
  for (int64_t i = 0; i < 200; ++i) {
    const Wave one = wave(*data, i);
    // The eight channels are a wave at eight angles: their first Fourier coefficient is its complex
    // amplitude.
    double power = 0, turned = 0, before = 0;
    for (int64_t t = 0; t < kSteps; ++t) {
      double re = 0, im = 0;
      for (int64_t c = 0; c < 8; ++c) {
        const double value = static_cast<double>(one.x[static_cast<size_t>(t * 8 + c)]);
        re += value * std::sin(turn * static_cast<double>(c) / 8) / 4;
        im += value * std::cos(turn * static_cast<double>(c) / 8) / 4;
      }
      const double angle = std::atan2(im, re);
      power += re * re + im * im;
      if (t > 0) turned += std::remainder(angle - before, turn);
      before = angle;
    }
    EXPECT_NEAR(std::sqrt(power / kSteps), static_cast<double>(one.y[0]), 0.03) << i;
    const double frequency = turned / turn * kSteps / (kSteps - 1);
    EXPECT_NEAR((frequency - 0.5) / 1.5, static_cast<double>(one.y[1]), 0.15) << i;
  }
}

TEST(Waves, TargetsAreUniform) {
  const auto data = open_dataset(named("waves", 5));
  const double low[] = {0.2, 0}, width[] = {0.8, 1};
  double sum[2] = {}, squares[2] = {};
  for (int64_t i = 0; i < data->size(); ++i) {
    const Wave one = wave(*data, i);
    for (size_t k = 0; k < 2; ++k) {
      const double u = (static_cast<double>(one.y[k]) - low[k]) / width[k];
      ASSERT_GE(u, -1e-6);
      ASSERT_LE(u, 1 + 1e-6);
      sum[k] += u, squares[k] += u * u;
    }
  }
  for (size_t k = 0; k < 2; ++k) {
    const double mean = sum[k] / 2000;
    EXPECT_NEAR(mean, 0.5, 0.03);  // standard error 0.0065
    EXPECT_NEAR(squares[k] / 2000 - mean * mean, 1.0 / 12, 0.01);
  }
}

struct Pulses {
  std::vector<uint8_t> x;
  std::vector<float> y;
};
Pulses pulses(const Dataset& data, int64_t index) {
  Pulses one{std::vector<uint8_t>(static_cast<size_t>(data.sample().numel()), 99),
             std::vector<float>(static_cast<size_t>(data.target().numel()), 99)};
  data.read(index, 0, one.x.data());
  data.read_target(index, one.y.data());
  return one;
}

TEST(Echo, TargetsAreFadingSums) {
  constexpr int64_t kSteps = 21;
  const auto data = open_dataset(named("echo", kSteps));
  EXPECT_EQ(data->sample(), SampleSpec::frames(kSteps, {4}, torch::kByte));
  EXPECT_EQ(data->target(), TargetSpec::sequence(kSteps, {2}));
  EXPECT_TRUE(data->has_lengths());
  std::vector<int> seen(kSteps + 1);
  double ones = 0, sites = 0;
  for (int64_t i = 0; i < data->size(); ++i) {
    const int64_t length = data->length(i);
    ASSERT_GE(length, 11);
    ASSERT_LE(length, kSteps);
    ++seen[static_cast<size_t>(length)];
    const Pulses one = pulses(*data, i);
    double y[2] = {0, 0};
    for (int64_t t = 0; t < length; ++t) {
      for (int64_t k = 0; k < 2; ++k) {
        const auto at = static_cast<size_t>(t * 4 + 2 * k);
        ASSERT_LE(one.x[at], 1);
        ASSERT_LE(one.x[at + 1], 1);
        ones += one.x[at] + one.x[at + 1], sites += 2;
        y[k] = 0.7 * y[k] + one.x[at] - one.x[at + 1];
        ASSERT_NEAR(static_cast<double>(one.y[static_cast<size_t>(t * 2 + k)]), y[k], 1e-6) << i << ' ' << t;
      }
    }
    for (auto at = static_cast<size_t>(length * 4); at < one.x.size(); ++at)
      ASSERT_EQ(one.x[at], 99) << "what is past the end is not written";
  }
  EXPECT_NEAR(ones / sites, 0.25, 0.005);
  for (size_t n = 11; n <= kSteps; ++n) EXPECT_NEAR(seen[n], 2000.0 / 11, 60) << n;
}

TEST(Echo, ErrorOfAnsweringZero) {
  const auto data = open_dataset(named("echo", 60));
  double squares = 0, sum = 0;
  for (int64_t i = 0; i < data->size(); ++i) {
    const double last = static_cast<double>(pulses(*data, i).y[static_cast<size_t>(data->length(i) * 2 - 1)]);
    sum += last, squares += last * last;
  }
  EXPECT_NEAR(sum / 2000, 0, 0.08);
  EXPECT_NEAR(squares / 2000, 0.735, 0.08);
}

TEST(Echo, OneStepIsEnough) {
  const auto data = open_dataset(named("echo", 1, 5));
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(data->length(i), 1);
}

struct Synthetic : testing::TestWithParam<const char*> {
  /// Bytes of sample and target.
  static std::vector<char> bytes(const Dataset& data, int64_t index, int64_t epoch = 0) {
    const auto x = static_cast<size_t>(data.sample().numel()) * torch::elementSize(data.sample().type);
    const auto y = static_cast<size_t>(data.target().numel()) * sizeof(float);
    std::vector<char> all(x + y);
    data.read(index, epoch, all.data());
    data.read_target(index, all.data() + x);
    return all;
  }
};

TEST_P(Synthetic, SampleDependsOnSeedPartAndIndexOnly) {
  auto options = named(GetParam(), 12, 40);
  const auto many = open_dataset(options);
  EXPECT_EQ(bytes(*many, 7), bytes(*many, 7, 9)) << "the same in every epoch";
  EXPECT_NE(bytes(*many, 7), bytes(*many, 8));
  options.train_size = 9;
  EXPECT_EQ(bytes(*open_dataset(options), 7), bytes(*many, 7));
  options.seed = 2;
  EXPECT_NE(bytes(*open_dataset(options), 7), bytes(*many, 7));
  options = named(GetParam(), 12, 40);
  options.split = "test";
  EXPECT_NE(bytes(*open_dataset(options), 7), bytes(*many, 7));
  options.validation = 10;
  for (const char* split : {"train", "validation"}) {
    options.split = split;
    const auto part = open_dataset(options);
    EXPECT_EQ(part->size(), options.split == "train" ? 30 : 10);
    for (int64_t i = 0; i < part->size(); ++i) EXPECT_EQ(bytes(*part, i), bytes(*many, part->id(i))) << split;
  }
}

TEST_P(Synthetic, OptionsThatDoNotApplyAreRefused) {
  const auto refused = [&](auto edit) {
    DataOptions options = named(GetParam(), 6, 3);
    edit(options);
    EXPECT_THROW(open_dataset(options), UsageError);
  };
  EXPECT_NO_THROW(open_dataset(named(GetParam(), 6, 3)));
  refused([](DataOptions& o) { o.steps = 0; });
  refused([](DataOptions& o) { o.augment = true; });
  refused([](DataOptions& o) { o.mean = 0; });
  refused([](DataOptions& o) { o.std = 1; });
  refused([](DataOptions& o) { o.events.flip = true; });
  refused([](DataOptions& o) { o.validation = 3; });
}

struct Remembered {
  std::vector<uint8_t> x;
  int64_t label = -1;
};
Remembered remembered(const Dataset& data, int64_t index) {
  Remembered one{std::vector<uint8_t>(static_cast<size_t>(data.sample().numel())), data.class_of(index)};
  data.read(index, 0, one.x.data());
  return one;
}

TEST(DelayedMemory, CueDelayAndQuestion) {
  constexpr int64_t kSteps = 120, kChannels = 25, kSamples = 400;
  const auto data = open_dataset(named("delayed-memory", kSteps, kSamples));
  EXPECT_EQ(data->sample(), SampleSpec::frames(kSteps, {kChannels}, torch::kByte));
  EXPECT_EQ(data->target(), TargetSpec::class_index(4));
  double cue = 0, question = 0, noise = 0;
  std::vector<int64_t> of_class(4);
  for (int64_t i = 0; i < kSamples; ++i) {
    const Remembered one = remembered(*data, i);
    ++of_class.at(static_cast<size_t>(one.label));
    for (int64_t t = 0; t < kSteps; ++t) {
      for (int64_t c = 0; c < kChannels; ++c) {
        const int x = one.x[static_cast<size_t>(t * kChannels + c)];
        ASSERT_LE(x, 1);
        const bool in_cue = t < 10 && c / 5 == one.label, asks = t >= kSteps - 10 && c / 5 == 4;
        (in_cue ? cue : asks ? question : noise) += x;
      }
    }
  }
  for (const int64_t count : of_class) EXPECT_NEAR(count, kSamples / 4, 40);
  EXPECT_NEAR(cue / (kSamples * 50), 0.4, 0.02);
  EXPECT_NEAR(question / (kSamples * 50), 0.4, 0.02);
  EXPECT_NEAR(noise / static_cast<double>(kSamples * (kSteps * kChannels - 100)), 0.02, 0.001);
}

TEST(DelayedMemory, SampleDependsOnSeedPartIndexAndStepsOnly) {
  auto options = named("delayed-memory", 60, 40);
  const auto many = open_dataset(options);
  const Remembered seventh = remembered(*many, 7);
  EXPECT_EQ(remembered(*many, 7).x, seventh.x);
  EXPECT_NE(remembered(*many, 8).x, seventh.x);
  options.train_size = 9;
  EXPECT_EQ(remembered(*open_dataset(options), 7).x, seventh.x);
  options.seed = 2;
  EXPECT_NE(remembered(*open_dataset(options), 7).x, seventh.x);
  options = named("delayed-memory", 60, 40);
  options.split = "test";
  EXPECT_NE(remembered(*open_dataset(options), 7).x, seventh.x);
  options.split = "train";
  options.steps = 39;
  EXPECT_THROW(open_dataset(options), UsageError);
}

TEST(GlyphPairs, LabelsAreTheDigitsOfItsHalves) {
  const auto pairs = open_dataset(named("glyph-pairs", 5, 40)), glyphs = open_dataset(named("glyphs", 5, 80));
  EXPECT_EQ(pairs->sample(), SampleSpec::image({1, 28, 56}));
  EXPECT_EQ(pairs->target(), TargetSpec::values({10}));
  int64_t single = 0;
  for (int64_t i = 0; i < 40; ++i) {
    std::vector<float> pair(28 * 56), one(28 * 28), y(10), want(10);
    pairs->read(i, 0, pair.data());
    pairs->read_target(i, y.data());
    for (int64_t k = 0; k < 2; ++k) {
      glyphs->read(2 * i + k, 0, one.data());
      want[static_cast<size_t>(glyphs->class_of(2 * i + k))] = 1;
      for (size_t r = 0; r < 28; ++r)
        for (size_t c = 0; c < 28; ++c)
          ASSERT_NEAR(pair[r * 56 + static_cast<size_t>(28 * k) + c], one[r * 28 + c], 1e-5F) << i;
    }
    EXPECT_EQ(y, want) << i;
    single += std::count(y.begin(), y.end(), 1.0F) == 1 ? 1 : 0;
  }
  DataOptions raw = named("glyph-pairs", 5, 3);
  raw.mean = 0;
  raw.std = 1;
  std::vector<float> grey(28 * 56);
  open_dataset(raw)->read(0, 0, grey.data());
  EXPECT_GE(*std::min_element(grey.begin(), grey.end()), 0);
  EXPECT_LE(*std::max_element(grey.begin(), grey.end()), 1);
  raw.augment = true;
  EXPECT_THROW(open_dataset(raw), UsageError);
  EXPECT_GT(single, 0);  // the same digit twice
  EXPECT_LT(single, 40);
}

INSTANTIATE_TEST_SUITE_P(Sets, Synthetic, testing::Values("waves", "echo"));

}  // namespace spiketrain::synthetic_test
