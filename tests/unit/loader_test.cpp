// The loader: same batches for any number of threads, resuming, partial batches, errors, early ends.
#include "spiketrain/data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "spiketrain/base/check.h"

namespace spiketrain::loader_test {

/// Sample i of epoch e is {i, e, i * i}; sample `bad` throws.  Its id is 100 + i.
class Numbers final : public Dataset {
 public:
  explicit Numbers(int64_t n, int64_t bad = -1) : n_(n), bad_(bad) {}
  int64_t size() const override { return n_; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t index) const override { return index % 5; }
  int64_t id(int64_t index) const override { return 100 + index; }
  void read(int64_t index, int64_t epoch, void* to) const override {
    ++reads;
    if (index == bad_) throw DataError("numbers", 7, "bad sample");
    auto* out = static_cast<float*>(to);
    out[0] = static_cast<float>(index), out[1] = static_cast<float>(epoch),
    out[2] = static_cast<float>(index * index);
  }
  std::string describe() const override { return "numbers"; }
  mutable std::atomic<int> reads{0};

 private:
  int64_t n_, bad_;
  SampleSpec sample_ = SampleSpec::image({1, 1, 3});
  TargetSpec target_ = TargetSpec::class_index(5);
};

/// Frame t of sequence i of epoch e is {i, t, e}.
class Sequences final : public Dataset {
 public:
  int64_t size() const override { return 11; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t index) const override { return index % 5; }
  void read(int64_t index, int64_t epoch, void* to) const override {
    auto* out = static_cast<uint8_t*>(to);
    for (uint8_t t = 0; t < 4; ++t, out += 3)
      out[0] = static_cast<uint8_t>(index), out[1] = t, out[2] = static_cast<uint8_t>(epoch);
  }
  std::string describe() const override { return "sequences"; }

 private:
  SampleSpec sample_ = SampleSpec::frames(4, {1, 1, 3}, torch::kByte);
  TargetSpec target_ = TargetSpec::class_index(5);
};

/// Sample i has 1 + i % 4 steps of 4; frame t is {i + 1, t}, float, and so is the target.
class Different final : public Dataset {
 public:
  explicit Different(int64_t longest = 4) : longest_(longest) {}
  int64_t size() const override { return 9; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  bool has_lengths() const override { return true; }
  int64_t length(int64_t index) const override { return 1 + index % longest_; }
  void read(int64_t index, int64_t /*epoch*/, void* to) const override { write(index, to); }
  void read_target(int64_t index, void* to) const override { write(index, to); }
  bool has_teacher() const override { return true; }
  void read_teacher(int64_t index, int64_t epoch, float* out) const override {
    out[0] = static_cast<float>(index), out[1] = static_cast<float>(epoch) - 1;
  }
  std::string describe() const override { return "different"; }

 private:
  void write(int64_t index, void* to) const {
    auto* out = static_cast<float*>(to);
    for (int64_t t = 0; t < length(index); ++t) {
      *out++ = static_cast<float>(index + 1);
      *out++ = static_cast<float>(t);
    }
  }
  int64_t longest_;
  SampleSpec sample_ = SampleSpec::frames(4, {2}, torch::kFloat);
  TargetSpec target_ = TargetSpec::sequence(4, {2});
};

std::vector<Batch> collect(Loader& loader, int64_t epoch, int64_t first = 0) {
  std::vector<Batch> batches;
  loader.start(epoch, first);
  for (Batch batch; loader.next(batch);) batches.push_back(batch);
  return batches;
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_TRUE(torch::equal(a.x, b.x));
  EXPECT_TRUE(torch::equal(a.target.y, b.target.y));
  EXPECT_TRUE(torch::equal(a.ids, b.ids));
  EXPECT_EQ(a.form, b.form);
  EXPECT_EQ(a.epoch, b.epoch);
}

TEST(Loader, BatchesHoldTheirSamples) {
  Numbers data(23);
  LoaderOptions options;
  options.batch_size = 5;
  Loader loader(data, options);
  const auto batches = collect(loader, 2);
  ASSERT_EQ(batches.size(), 5u);
  EXPECT_EQ(loader.batches(), 5);
  EXPECT_EQ(batches[4].x.sizes(), (std::vector<int64_t>{3, 1, 1, 3}));
  std::vector<int64_t> seen;
  for (size_t b = 0; b < batches.size(); ++b) {
    EXPECT_EQ(batches[b].form, Batch::Form::image);
    EXPECT_EQ(batches[b].epoch, 2);
    EXPECT_EQ(batches[b].target.kind, Target::Kind::class_index);
    EXPECT_FALSE(batches[b].lengths.defined());
    EXPECT_FALSE(batches[b].target.teacher.defined());
    EXPECT_EQ(batches[b].size(), b < 4 ? 5 : 3);
    for (int64_t i = 0; i < batches[b].size(); ++i) {
      const int64_t sample = batches[b].ids[i].item<int64_t>() - 100;
      seen.push_back(sample);
      EXPECT_EQ(batches[b].x[i][0][0][0].item<float>(), static_cast<float>(sample));
      EXPECT_EQ(batches[b].x[i][0][0][1].item<float>(), 2.0f);
      EXPECT_EQ(batches[b].target.y[i].item<int64_t>(), sample % 5);
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
    EXPECT_EQ(batch.form, Batch::Form::frames);
    EXPECT_EQ(batch.size(), batch.x.size(1));
    EXPECT_TRUE(batch.x.is_contiguous());
    for (int64_t t = 0; t < 4; ++t) {
      for (int64_t i = 0; i < batch.x.size(1); ++i) {
        const uint8_t* frame = batch.x[t][i].data_ptr<uint8_t>();
        EXPECT_EQ(frame[0], batch.ids[i].item<int64_t>());
        EXPECT_EQ(frame[1], t);
        EXPECT_EQ(frame[2], 6);
      }
    }
  }
}

TEST(Loader, SamplesOfDifferentLengthsArePaddedWithZeros) {
  Different data;
  LoaderOptions options;
  options.batch_size = 5;
  options.threads = 2;
  Loader loader(data, options);
  for (const Batch& batch : collect(loader, 0)) {
    EXPECT_EQ(batch.x.sizes(), (std::vector<int64_t>{4, batch.size(), 2}));
    EXPECT_EQ(batch.x.scalar_type(), torch::kFloat);
    EXPECT_EQ(batch.target.kind, Target::Kind::sequence);
    EXPECT_TRUE(torch::equal(batch.target.y, batch.x));
    for (int64_t i = 0; i < batch.size(); ++i) {
      const auto sample = batch.ids[i].item<int64_t>(), length = batch.lengths[i].item<int64_t>();
      EXPECT_EQ(length, 1 + sample % 4);
      for (int64_t t = 0; t < 4; ++t) {
        EXPECT_EQ(batch.x[t][i][0].item<float>(), t < length ? static_cast<float>(sample + 1) : 0.0F);
        EXPECT_EQ(batch.x[t][i][1].item<float>(), t < length ? static_cast<float>(t) : 0.0F);
      }
      EXPECT_EQ(batch.target.teacher[i][0].item<float>(), static_cast<float>(sample));
      EXPECT_EQ(batch.target.teacher[i][1].item<float>(), -1.0F);
    }
  }
}

TEST(Loader, TargetsAlone) {
  const Numbers numbers(10), unread(10);
  const Different different;
  using Pair = std::pair<const Dataset*, const Dataset*>;
  for (const auto& [data, same] : {Pair{&numbers, &unread}, Pair{&different, &different}}) {
    LoaderOptions options;
    options.batch_size = 4;
    Loader all(*data, options);
    options.inputs = false;
    Loader targets(*same, options);
    all.start(2);
    targets.start(2);
    Batch a, b;
    while (targets.next(b)) {
      ASSERT_TRUE(all.next(a));
      EXPECT_EQ(a.x.sizes(), b.x.sizes());
      EXPECT_EQ(a.x.scalar_type(), b.x.scalar_type());
      EXPECT_EQ(b.x.abs().sum().item<double>(), 0);
      EXPECT_TRUE(torch::equal(a.target.y, b.target.y));
      EXPECT_TRUE(torch::equal(a.ids, b.ids));
      EXPECT_EQ(a.lengths.defined(), b.lengths.defined());
      if (a.lengths.defined()) {
        EXPECT_TRUE(torch::equal(a.lengths, b.lengths));
      }
    }
    EXPECT_FALSE(all.next(a));
  }
  EXPECT_EQ(numbers.reads, 10);
  EXPECT_EQ(unread.reads, 0);
}

TEST(Loader, LengthsBeyondTheFramesAreRefused) {
  Different data(5);  // sample 4 claims 5 steps of 4
  LoaderOptions options;
  options.batch_size = 4;
  options.shuffle = false;
  Loader loader(data, options);
  loader.start(0);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  try {
    loader.next(batch);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("different: expected a length from 1 to 4 for sample 4, got 5"),
              std::string::npos)
        << error.what();
  }
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
  const auto first = collect(loader, 0)[0].ids, second = collect(loader, 1)[0].ids;
  EXPECT_FALSE(torch::equal(first, second));
  EXPECT_TRUE(torch::equal(first, collect(loader, 0)[0].ids)) << "epochs can be repeated";
  options.seed = 2;
  Loader other(data, options);
  EXPECT_FALSE(torch::equal(first, collect(other, 0)[0].ids));
  options.shuffle = false;
  Loader plain(data, options);
  EXPECT_TRUE(torch::equal(collect(plain, 9)[0].ids, torch::arange(100, 164)));
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
    EXPECT_EQ(batch.ids[0].item<int64_t>(), 100 + 6 * 4);
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

/// A batch of slow samples: the flag is met at the next one.
class Stopping final : public Dataset {
 public:
  explicit Stopping(int64_t last) : last_(last) {}
  int64_t size() const override { return 1000; }
  const SampleSpec& sample() const override { return numbers_.sample(); }
  const TargetSpec& target() const override { return numbers_.target(); }
  int64_t class_of(int64_t index) const override { return index % 5; }
  void read(int64_t index, int64_t epoch, void* to) const override {
    numbers_.read(index, epoch, to);
    if (numbers_.reads == last_) stop = true;
  }
  std::string describe() const override { return "stopping"; }
  int reads() const { return numbers_.reads; }
  mutable std::atomic<bool> stop{false};

 private:
  Numbers numbers_{1000};
  int64_t last_;
};

TEST(Loader, StopsWithinABatch) {
  for (const int threads : {1, 3}) {
    const Stopping data(50);
    LoaderOptions options;
    options.batch_size = 40;
    options.threads = threads;
    options.stop = &data.stop;
    Loader loader(data, options);
    loader.start(0);
    Batch batch;
    int batches = 0;
    while (loader.next(batch)) ++batches;
    EXPECT_LE(batches, 1);
    EXPECT_LE(data.reads(), 50 + threads);
    EXPECT_FALSE(loader.next(batch));
  }
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

}  // namespace spiketrain::loader_test
