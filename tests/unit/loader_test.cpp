// The loader: same batches for any number of threads, resuming, partial batches, errors, early ends.
#include "spiketrain/data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

/// Sample i of epoch e is {i, e, i * i}; sample `bad` throws.
class Numbers final : public Dataset {
 public:
  explicit Numbers(int64_t n, int64_t bad = -1) : n_(n), bad_(bad) {}
  int64_t size() const override { return n_; }
  std::vector<int64_t> sample_shape() const override { return {1, 1, 3}; }
  int64_t classes() const override { return 5; }
  int64_t label(int64_t index) const override { return index % 5; }
  void get(int64_t index, int64_t epoch, float* out) const override {
    ++reads;
    if (index == bad_) throw DataError("numbers", 7, "bad sample");
    out[0] = static_cast<float>(index), out[1] = static_cast<float>(epoch),
    out[2] = static_cast<float>(index * index);
  }
  std::string describe() const override { return "numbers"; }
  mutable std::atomic<int> reads{0};

 private:
  int64_t n_, bad_;
};

/// Frame t of sequence i of epoch e is {i, t, e}.
class Sequences final : public Dataset {
 public:
  int64_t size() const override { return 11; }
  int64_t steps() const override { return 4; }
  std::vector<int64_t> sample_shape() const override { return {1, 1, 3}; }
  int64_t classes() const override { return 5; }
  int64_t label(int64_t index) const override { return index % 5; }
  void get_frames(int64_t index, int64_t epoch, uint8_t* out) const override {
    for (uint8_t t = 0; t < 4; ++t, out += 3)
      out[0] = static_cast<uint8_t>(index), out[1] = t, out[2] = static_cast<uint8_t>(epoch);
  }
  std::string describe() const override { return "sequences"; }
};

std::vector<Batch> collect(Loader& loader, int64_t epoch, int64_t first = 0) {
  std::vector<Batch> batches;
  loader.start(epoch, first);
  for (Batch batch; loader.next(batch);) batches.push_back(batch);
  return batches;
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_TRUE(torch::equal(a.x, b.x));
  EXPECT_TRUE(torch::equal(a.y, b.y));
  EXPECT_TRUE(torch::equal(a.index, b.index));
  EXPECT_EQ(a.batch, b.batch);
  EXPECT_EQ(a.first, b.first);
}

TEST(Loader, BatchesHoldTheirSamples) {
  Numbers data(23);
  LoaderOptions options;
  options.batch_size = 5;
  Loader loader(data, options);
  const auto batches = collect(loader, 2);
  ASSERT_EQ(batches.size(), 5u);
  EXPECT_EQ(loader.batches(), 5);
  EXPECT_EQ(loader.samples(), 23);
  EXPECT_EQ(batches[4].x.sizes(), (std::vector<int64_t>{3, 1, 1, 3}));
  std::vector<int64_t> seen;
  for (size_t b = 0; b < batches.size(); ++b) {
    EXPECT_EQ(batches[b].first, static_cast<int64_t>(5 * b));
    for (int64_t i = 0; i < batches[b].x.size(0); ++i) {
      const auto sample = batches[b].index[i].item<int64_t>();
      seen.push_back(sample);
      EXPECT_EQ(batches[b].x[i][0][0][0].item<float>(), static_cast<float>(sample));
      EXPECT_EQ(batches[b].x[i][0][0][1].item<float>(), 2.0f);
      EXPECT_EQ(batches[b].y[i].item<int64_t>(), sample % 5);
    }
  }
  EXPECT_FALSE(std::is_sorted(seen.begin(), seen.end()));
  std::sort(seen.begin(), seen.end());
  for (int64_t i = 0; i < 23; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST(Loader, SequencesHaveTimeFirst) {
  Sequences data;
  LoaderOptions options;
  options.batch_size = 4;
  options.threads = 2;
  Loader loader(data, options);
  const auto batches = collect(loader, 6);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[2].x.sizes(), (std::vector<int64_t>{4, 3, 1, 1, 3}));
  for (const Batch& batch : batches) {
    EXPECT_EQ(batch.x.scalar_type(), torch::kUInt8);
    EXPECT_TRUE(batch.x.is_contiguous());
    for (int64_t t = 0; t < 4; ++t) {
      for (int64_t i = 0; i < batch.x.size(1); ++i) {
        const uint8_t* frame = batch.x[t][i].data_ptr<uint8_t>();
        EXPECT_EQ(frame[0], batch.index[i].item<int64_t>());
        EXPECT_EQ(frame[1], t);
        EXPECT_EQ(frame[2], 6);
      }
    }
  }
  float image[3];
  EXPECT_THROW(data.get(0, 0, image), UsageError);
  uint8_t frames[12];
  EXPECT_THROW(Numbers(3).get_frames(0, 0, frames), UsageError);
}

TEST(Loader, ThreadsAndPrefetchDoNotMatter) {
  Numbers data(101);
  LoaderOptions options;
  options.batch_size = 4;
  Loader reference(data, options);
  const auto expected = collect(reference, 3);
  for (int threads : {2, 3, 8}) {
    for (int prefetch : {1, 2, 16}) {
      options.threads = threads;
      options.prefetch = prefetch;
      Loader loader(data, options);
      const auto batches = collect(loader, 3);
      ASSERT_EQ(batches.size(), expected.size());
      for (size_t i = 0; i < batches.size(); ++i) expect_equal(batches[i], expected[i]);
    }
  }
}

TEST(Loader, OrderDependsOnSeedAndEpoch) {
  Numbers data(64);
  LoaderOptions options;
  Loader loader(data, options);
  const auto first = collect(loader, 0)[0].index, second = collect(loader, 1)[0].index;
  EXPECT_FALSE(torch::equal(first, second));
  EXPECT_TRUE(torch::equal(first, collect(loader, 0)[0].index)) << "epochs can be repeated";
  options.seed = 2;
  Loader other(data, options);
  EXPECT_FALSE(torch::equal(first, collect(other, 0)[0].index));
  options.shuffle = false;
  Loader plain(data, options);
  EXPECT_TRUE(torch::equal(collect(plain, 9)[0].index, torch::arange(64)));
}

TEST(Loader, ResumesInMidEpoch) {
  Numbers data(50);
  LoaderOptions options;
  options.batch_size = 6;
  options.threads = 2;
  Loader loader(data, options);
  const auto whole = collect(loader, 4);
  for (int64_t first : {0, 1, 5, 8, 9}) {
    const auto rest = collect(loader, 4, first);
    ASSERT_EQ(rest.size(), whole.size() - static_cast<size_t>(first));
    for (size_t i = 0; i < rest.size(); ++i) expect_equal(rest[i], whole[i + static_cast<size_t>(first)]);
  }
  EXPECT_THROW(loader.start(0, 10), UsageError);
  EXPECT_THROW(loader.start(0, -1), UsageError);
}

TEST(Loader, DropLast) {
  Numbers data(23);
  LoaderOptions options;
  options.batch_size = 5;
  options.drop_last = true;
  Loader loader(data, options);
  EXPECT_EQ(loader.batches(), 4);
  EXPECT_EQ(loader.samples(), 20);
  for (const Batch& batch : collect(loader, 0)) EXPECT_EQ(batch.x.size(0), 5);
  options.batch_size = 24;
  Loader none(data, options);
  EXPECT_TRUE(collect(none, 0).empty());
}

TEST(Loader, ErrorsArriveInOrderAndEndTheEpoch) {
  for (int threads : {1, 4}) {
    Numbers data(40, 22);
    LoaderOptions options;
    options.batch_size = 4;
    options.shuffle = false;
    options.threads = threads;
    Loader loader(data, options);
    loader.start(0);
    Batch batch;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(loader.next(batch)) << "batches before the bad one are good";
    EXPECT_THROW(loader.next(batch), DataError);
    EXPECT_FALSE(loader.next(batch));
    loader.start(0, 6);
    ASSERT_TRUE(loader.next(batch));
    EXPECT_EQ(batch.batch, 6);
  }
}

TEST(Loader, LooksAheadOnlySoFar) {
  Numbers data(1000);
  LoaderOptions options;
  options.batch_size = 1;
  options.threads = 4;
  options.prefetch = 3;
  Loader loader(data, options);
  loader.start(0);
  Batch batch;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(loader.next(batch));
  loader.start(0, 1000);  // joins the workers, so the count below is final
  EXPECT_GE(data.reads, 10);
  EXPECT_LE(data.reads, 10 + 3);
  EXPECT_FALSE(loader.next(batch));
}

TEST(Loader, AbandonedAndMisused) {
  Numbers data(1000);
  LoaderOptions options;
  options.threads = 3;
  Batch batch;
  {
    Loader loader(data, options);
    EXPECT_THROW(loader.next(batch), UsageError);
    loader.start(0);
    ASSERT_TRUE(loader.next(batch));
  }  // the destructor must join workers that still have work
  { Loader never_started(data, options); }
  EXPECT_EQ(batch.x.size(0), 64) << "a batch outlives its loader";
  options.batch_size = 0;
  EXPECT_THROW(Loader(data, options), UsageError);
  options.batch_size = 1, options.threads = 0;
  EXPECT_THROW(Loader(data, options), UsageError);
  options.threads = 1, options.prefetch = 0;
  EXPECT_THROW(Loader(data, options), UsageError);
}

}  // namespace
}  // namespace spiketrain
