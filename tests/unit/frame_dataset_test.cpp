// Data sets of frames: cache, augmentation, threads, the code of the cache.
#include "spiketrain/data/events/frame_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/events/frame_code.h"
#include "spiketrain/data/events/framing.h"
#include "spiketrain/data/loader.h"

namespace spiketrain::frame_dataset_test {

/// Random recordings of a 12 x 9 sensor; three samples in a row are cut from one recording.
class Toy final : public EventSource {
 public:
  explicit Toy(int64_t events = 300) : events_(events) {}
  int64_t size() const override { return 30; }
  int64_t width() const override { return 12; }
  int64_t height() const override { return 9; }
  int64_t classes() const override { return 4; }
  int64_t label(int64_t index) const override { return index % 4; }
  int64_t recording(int64_t index) const override { return index / 3; }
  EventStream events(int64_t index) const override {
    ++reads;
    Rng rng(9, Purpose::test, static_cast<uint64_t>(index));
    EventStream stream{12, 9, {}};
    for (int64_t i = 0; i < events_; ++i) {
      const auto x = static_cast<uint16_t>(rng.below(12)), y = static_cast<uint16_t>(rng.below(9));
      stream.events.push_back({i * 7, x, y, static_cast<uint8_t>(rng.below(2))});
    }
    return stream;
  }
  std::string describe() const override { return "toy"; }
  mutable std::atomic<int> reads{0};

 private:
  int64_t events_;
};

std::vector<int64_t> first(int64_t n) {
  std::vector<int64_t> indices(static_cast<size_t>(n));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return indices;
}

std::vector<uint8_t> frames_of(const Dataset& data, int64_t index, int64_t epoch) {
  std::vector<uint8_t> out(static_cast<size_t>(data.sample().numel()), 99);
  data.read(index, epoch, out.data());
  return out;
}

FrameDatasetOptions four_frames() {
  FrameDatasetOptions options;
  options.steps = 4;
  return options;
}

TEST(FrameCode, RoundTrip) {
  Rng rng(1, Purpose::test);
  for (const int64_t gap : {1, 3, 200, 40000}) {
    std::vector<uint16_t> counts(100000);
    for (size_t i = 0; i < counts.size(); i += 1 + rng.below(static_cast<uint64_t>(gap)))
      counts[i] = static_cast<uint16_t>(rng.below(4) == 0 ? rng.below(65536) : 1);
    for (const int64_t limit : {1, 20, 65535}) {
      const auto code = encode_counts(counts.data(), static_cast<int64_t>(counts.size()), limit);
      std::vector<uint16_t> back(counts.size());
      decode_counts(code, [&](int64_t place, int64_t count) {
        back[static_cast<size_t>(place)] = static_cast<uint16_t>(count);
      });
      auto expected = counts;
      for (auto& count : expected) count = static_cast<uint16_t>(std::min<int64_t>(count, limit));
      EXPECT_EQ(back, expected) << gap << ' ' << limit;
    }
  }
  const std::vector<uint16_t> none(50), full(50, 1);
  EXPECT_TRUE(encode_counts(none.data(), 50, 9).empty());
  EXPECT_EQ(encode_counts(full.data(), 50, 9).size(), 50u);
}

TEST(FrameDataset, IsFiltersThenFrames) {
  auto options = four_frames();
  options.events.accumulate = "clip";
  options.events.clip = 2;
  auto toy = std::make_shared<Toy>();
  const auto data = make_frame_dataset(toy, {7, 3, 20}, options);
  EXPECT_EQ(data->size(), 3);
  EXPECT_EQ(data->sample(), SampleSpec::frames(4, {2, 9, 12}, torch::kByte));
  EXPECT_EQ(data->target(), TargetSpec::class_index(4));
  EXPECT_EQ(data->length(0), 4);
  const Framer framer(options.events, 4, {12, 9, 2});
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t raw = std::vector<int64_t>{7, 3, 20}[static_cast<size_t>(i)];
    EXPECT_EQ(data->class_of(i), raw % 4);
    EXPECT_EQ(data->id(i), raw) << "the index in the official part";
    std::vector<uint8_t> expected(static_cast<size_t>(framer.numel()));
    framer.frame(toy->events(raw).events, expected.data());
    EXPECT_EQ(frames_of(*data, i, 5), expected);
  }
  options.events.noise_filter_us = 20;
  EXPECT_NE(frames_of(*make_frame_dataset(toy, {7}, options), 0, 0), frames_of(*data, 0, 0));
  options.events.noise_filter_us = 0;
  options.events.refractory_us = 500;
  EXPECT_NE(frames_of(*make_frame_dataset(toy, {7}, options), 0, 0), frames_of(*data, 0, 0));
  EXPECT_THROW(data->class_of(3), UsageError);
  EXPECT_THROW(frames_of(*data, -1, 0), UsageError);
  EXPECT_THROW(make_frame_dataset(toy, {30}, options), UsageError);
}

TEST(FrameDataset, CacheChangesNothingButTheReading) {
  for (const double drop : {0.0, 0.4}) {
    auto options = four_frames();
    options.augment = drop > 0;
    options.events.drop = drop;
    auto without = options;
    without.events.cache_mib = 0;
    auto toy = std::make_shared<Toy>(), other = std::make_shared<Toy>();
    const auto cached = make_frame_dataset(toy, first(30), options),
               plain = make_frame_dataset(other, first(30), without);
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      for (int64_t i = 0; i < 30; ++i)
        EXPECT_EQ(frames_of(*cached, i, epoch), frames_of(*plain, i, epoch)) << i << ' ' << epoch;
    }
    EXPECT_EQ(toy->reads, 30);
    EXPECT_EQ(other->reads, 90);
    EXPECT_EQ(cached->cached(), 30);
    EXPECT_EQ(plain->cached(), 0);
    EXPECT_EQ(plain->cache_bytes(), 0);
    EXPECT_GT(cached->cache_bytes(), 30 * 100);
  }
}

TEST(FrameDataset, CacheEndsAtItsLimit) {
  auto options = four_frames();
  options.events.cache_mib = 1;
  options.steps = 500;
  const auto toy = std::make_shared<Toy>(100000);  // about 90 KB a sample
  const auto data = make_frame_dataset(toy, first(30), options);
  for (int64_t i = 0; i < 30; ++i) frames_of(*data, i, 0);
  EXPECT_LE(data->cache_bytes(), 1 << 20);
  EXPECT_GT(data->cached(), 3);
  EXPECT_LT(data->cached(), 30);
}

TEST(FrameDataset, ARecordingIsReadOnceForAllItsSamples) {
  const auto toy = std::make_shared<Toy>();
  const auto data = make_frame_dataset(toy, {0, 1, 4, 2, 5}, four_frames());
  frames_of(*data, 3, 0);  // sample 2: 0 and 1 come along
  EXPECT_EQ(toy->reads, 3);
  EXPECT_EQ(data->cached(), 3);
  frames_of(*data, 0, 0);
  EXPECT_EQ(toy->reads, 3);
  frames_of(*data, 4, 0);
  EXPECT_EQ(toy->reads, 5);
}

/// Sum over a sample.
int64_t total(const std::vector<uint8_t>& frames) {
  return std::accumulate(frames.begin(), frames.end(), int64_t{0});
}

TEST(FrameDataset, FlipAndRollMoveEveryFrameAlike) {
  auto options = four_frames();
  options.augment = true;
  options.events.flip = true;
  options.events.roll = 2;
  const auto toy = std::make_shared<Toy>();
  const auto data = make_frame_dataset(toy, first(3), options);
  options.augment = false;
  const auto plain = make_frame_dataset(toy, first(3), options);
  std::vector<int> seen(50);
  for (int64_t epoch = 0; epoch < 300; ++epoch) {
    const auto moved = frames_of(*data, 1, epoch), original = frames_of(*plain, 1, epoch);
    int matches = 0;
    for (int flip = 0; flip < 2; ++flip) {
      for (int64_t dy = -2; dy <= 2; ++dy) {
        for (int64_t dx = -2; dx <= 2; ++dx) {
          std::vector<uint8_t> expected(original.size());
          for (int64_t plane = 0; plane < 8; ++plane) {
            for (int64_t y = 0; y < 9; ++y) {
              for (int64_t x = 0; x < 12; ++x) {
                const int64_t to_y = y + dy, to_x = (flip ? 11 - x : x) + dx;
                if (to_y < 0 || to_y >= 9 || to_x < 0 || to_x >= 12) continue;
                expected[static_cast<size_t>((plane * 9 + to_y) * 12 + to_x)] =
                    original[static_cast<size_t>((plane * 9 + y) * 12 + x)];
              }
            }
          }
          if (expected != moved) continue;
          ++matches;
          ++seen[static_cast<size_t>((flip * 5 + dy + 2) * 5 + dx + 2)];
        }
      }
    }
    ASSERT_EQ(matches, 1) << epoch;
  }
  EXPECT_GT(std::count_if(seen.begin(), seen.end(), [](int n) { return n > 0; }), 40) << "all moves occur";
}

/// One recording of `width` x `height` with an event in every pixel.
class Full final : public EventSource {
 public:
  Full(int64_t width, int64_t height, int64_t size = 1) : width_(width), height_(height), size_(size) {}
  int64_t size() const override { return size_; }
  int64_t width() const override { return width_; }
  int64_t height() const override { return height_; }
  int64_t polarities() const override { return 1; }
  int64_t classes() const override { return 1; }
  int64_t label(int64_t) const override { return 0; }
  int64_t recording(int64_t) const override { return 0; }
  EventStream events(int64_t) const override {
    ++reads;
    EventStream stream{width_, height_, {}};
    for (int64_t i = 0; i < width_ * height_; ++i)
      stream.events.push_back({i, static_cast<uint16_t>(i % width_), static_cast<uint16_t>(i / width_), 1});
    return stream;
  }
  std::string describe() const override { return "full"; }
  mutable std::atomic<int> reads{0};

 private:
  int64_t width_, height_, size_;
};

TEST(FrameDataset, RollLeavesARowOfChannelsItsRow) {
  FrameDatasetOptions options;
  options.steps = 1;
  options.augment = true;
  options.events.roll = 4;
  for (const bool row : {true, false}) {
    const auto data =
        make_frame_dataset(std::make_shared<Full>(row ? 20 : 1, row ? 1 : 20), first(1), options);
    std::vector<int> seen(9);
    for (int64_t epoch = 0; epoch < 200; ++epoch) {
      const auto frames = frames_of(*data, 0, epoch);
      // A shift by n leaves 20 - |n| pixels, at one end or the other.
      const int64_t lost = 20 - total(frames);
      ASSERT_LE(lost, 4) << epoch;
      ++seen[static_cast<size_t>(frames[0] == 0 ? 4 + lost : 4 - lost)];
    }
    for (const int n : seen) EXPECT_GT(n, 5) << "every shift occurs";
  }
}

TEST(FrameDataset, AugmentationThatLeavesNothingIsRefused) {
  const auto refused = [](int64_t width, int64_t height, auto edit) {
    FrameDatasetOptions options;
    edit(options.events);
    try {
      make_frame_dataset(std::make_shared<Full>(width, height), first(1), options);
    } catch (const UsageError&) {
      return true;
    }
    return false;
  };
  const auto roll = [](int64_t by) { return [by](EventOptions& e) { e.roll = by; }; };
  EXPECT_FALSE(refused(20, 1, roll(19)));
  EXPECT_TRUE(refused(20, 1, roll(20)));
  EXPECT_FALSE(refused(1, 20, roll(19)));
  EXPECT_TRUE(refused(1, 20, roll(20)));
  EXPECT_FALSE(refused(20, 8, roll(7)));
  EXPECT_TRUE(refused(20, 8, roll(8)));
  EXPECT_TRUE(refused(1, 1, roll(1)));
  EXPECT_TRUE(refused(20, 8, [](EventOptions& e) { e.roll = 4, e.downsample = 2; })) << "of the frame";
  EXPECT_TRUE(refused(20, 8, [](EventOptions& e) { e.drop = 1; }));
  EXPECT_FALSE(refused(20, 8, [](EventOptions& e) { e.drop = 0.99; }));
  EXPECT_FALSE(refused(20, 8, [](EventOptions& e) { e.flip = true; }));
  EXPECT_TRUE(refused(20, 1, [](EventOptions& e) { e.flip = true; })) << "a row of channels";
  EXPECT_TRUE(refused(20, 8, [](EventOptions& e) { e.accumulate = "or", e.clip = 3; })) << "without effect";
  EXPECT_FALSE(refused(20, 8, [](EventOptions& e) { e.accumulate = "or", e.clip = 1; }));
  EXPECT_FALSE(refused(20, 8, [](EventOptions& e) { e.accumulate = "clip", e.clip = 3; }));
}

TEST(FrameDataset, OneSampleIsNotTheReasonToMakeThousands) {
  const auto source = std::make_shared<Full>(4, 4, 5000);
  const auto data = make_frame_dataset(source, first(5000), four_frames());
  frames_of(*data, 4000, 0);
  EXPECT_LE(source->reads, 100) << "whoever stops a loader waits for this";
  for (int64_t i = 0; i < 5000; ++i) frames_of(*data, i, 0);
  EXPECT_EQ(source->reads, 5000) << "each once";
}

TEST(FrameDataset, DropThinsEvents) {
  auto options = four_frames();
  options.augment = true;
  const auto toy = std::make_shared<Toy>(4000);
  for (const double p : {0.0, 0.25, 0.75}) {
    options.events.drop = p;
    const auto data = make_frame_dataset(toy, first(3), options);
    double left = 0;
    for (int64_t epoch = 0; epoch < 20; ++epoch)
      left += static_cast<double>(total(frames_of(*data, 0, epoch)));
    EXPECT_NEAR(left / (20 * 4000), 1 - p, p > 0 ? 0.01 : 0) << p;
  }
  // With 0/1 frames a place goes dark only if all its events are left out.
  options.events.drop = 0.5;
  options.events.accumulate = "or";
  const auto crowded = std::make_shared<Toy>(40000);
  EXPECT_EQ(total(frames_of(*make_frame_dataset(crowded, first(1), options), 0, 0)), 4 * 2 * 9 * 12);
}

TEST(FrameDataset, ChanceIsKeyedBySeedEpochAndSample) {
  auto options = four_frames();
  options.augment = true;
  options.events.flip = true;
  options.events.roll = 3;
  options.events.drop = 0.3;
  const auto toy = std::make_shared<Toy>();
  const auto data = make_frame_dataset(toy, first(30), options);
  const auto part = make_frame_dataset(toy, {8, 5}, options);
  EXPECT_EQ(frames_of(*data, 5, 2), frames_of(*part, 1, 2)) << "the index in the official part counts";
  EXPECT_NE(frames_of(*data, 5, 2), frames_of(*data, 5, 3));
  options.seed = 2;
  EXPECT_NE(frames_of(*data, 5, 2), frames_of(*make_frame_dataset(toy, first(30), options), 5, 2));
}

TEST(FrameDataset, ThreadsDoNotMatter) {
  auto options = four_frames();
  options.augment = true;
  options.events.roll = 3;
  options.events.drop = 0.3;
  LoaderOptions loading;
  loading.batch_size = 4;
  std::vector<torch::Tensor> expected;
  for (int threads : {1, 4}) {
    const auto data = make_frame_dataset(std::make_shared<Toy>(), first(30), options);
    loading.threads = threads;
    Loader loader(*data, loading);
    size_t k = 0;
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      loader.start(epoch);
      for (Batch batch; loader.next(batch); ++k) {
        if (threads == 1) {
          expected.push_back(batch.x);
        } else {
          EXPECT_TRUE(torch::equal(batch.x, expected.at(k)));
        }
      }
    }
    EXPECT_EQ(k, 16u);
    EXPECT_EQ(data->cached(), 30);
  }
  EXPECT_EQ(expected[0].sizes(), (std::vector<int64_t>{4, 4, 2, 9, 12}));
}

}  // namespace spiketrain::frame_dataset_test
