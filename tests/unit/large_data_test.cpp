// Data larger than memory: what is read from files is not held, its values are those of data in memory, and files that
// change meanwhile end the reading.
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/events/frame_dataset.h"
#include "spiketrain/data/images/cifar.h"
#include "spiketrain/data/images/idx.h"
#include "spiketrain/data/images/image_dataset.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/data/reads_ahead.h"
#include "tests/support/idx_files.h"
#include "tests/support/memory_peak.h"
#include "tests/support/message.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::large_data_test {

constexpr int64_t kMiB = int64_t{1} << 20;

/// Runs `work`, which may not take more than `most` bytes.
template <class F>
void expect_small(int64_t most, F&& work) {
  const int64_t growth = peak_growth(work);
  if (growth < 0) GTEST_SKIP() << "the memory that is taken cannot be measured here";
  EXPECT_LT(growth, most) << growth / kMiB << " MiB";
}

void write_at(const std::string& path, uint64_t offset, const Bytes& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good());
}

/// As long as `bytes`, zeros where nothing is written, which take no room on a disk.
void write_sparse(const std::string& path, const Bytes& head, uint64_t bytes) {
  write_file_atomic(path, {head});
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(bytes)), 0);
}

void pack_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  gzFile out = gzopen((path + ".gz").c_str(), "wb1");
  Bytes piece(kMiB);
  while (in.read(reinterpret_cast<char*>(piece.data()), kMiB), in.gcount() > 0)
    ASSERT_GT(gzwrite(out, piece.data(), static_cast<unsigned>(in.gcount())), 0);
  ASSERT_EQ(gzclose(out), Z_OK);
  std::filesystem::remove(path);
}

Bytes counted_labels(uint32_t count) {
  Bytes labels(count);
  for (uint32_t i = 0; i < count; ++i) labels[i] = static_cast<uint8_t>(i % 10);
  return labels;
}

/// DIR/mnist/train-*: `count` black images of side x side; returns the path of the images.
std::string write_black_images(const TempDir& dir, uint32_t count, uint32_t side) {
  std::filesystem::create_directories(dir / "mnist");
  const std::string images = dir / "mnist/train-images-idx3-ubyte";
  write_sparse(images, make_idx({count, side, side}, {}), 16 + uint64_t{count} * side * side);
  const Bytes labels = make_idx({count}, counted_labels(count));
  write_file_atomic(dir / "mnist/train-labels-idx1-ubyte", {labels});
  return images;
}

DataOptions options_of(const std::string& name, const TempDir& dir) {
  DataOptions options;
  options.name = name;
  options.dir = dir.path();
  options.mean = 0;
  options.std = 1;
  return options;
}

std::vector<float> image_of(const Dataset& data, int64_t index, int64_t epoch = 0) {
  std::vector<float> out(static_cast<size_t>(data.sample().numel()));
  data.read(index, epoch, out.data());
  return out;
}

TEST(LargeData, FiveGigabytesOfImages) {
  constexpr uint32_t kCount = 1000000, kSide = 72;
  TempDir dir;
  const std::string images = write_black_images(dir, kCount, kSide);
  for (const uint32_t i : {0u, 654321u, kCount - 1})
    write_at(images, 16 + uint64_t{i} * kSide * kSide + 5, {static_cast<uint8_t>(51 + i % 7)});
  expect_small(64 * kMiB, [&] {
    const auto data = open_dataset(options_of("mnist", dir));
    ASSERT_EQ(data->size(), kCount);
    for (const uint32_t i : {0u, 1u, 654321u, kCount - 1}) {
      const std::vector<float> image = image_of(*data, i);
      EXPECT_EQ(data->class_of(i), i % 10);
      EXPECT_EQ(image[4], 0);
      EXPECT_EQ(image[5], i == 1 ? 0 : static_cast<float>((51 + i % 7) / 255.0)) << i;
    }
    LoaderOptions loading;
    loading.threads = 2;
    Loader loader(*data, loading);
    loader.start(0);
    Batch batch;
    for (int k = 0; k < 50; ++k) ASSERT_TRUE(loader.next(batch));
  });
}

TEST(LargeData, CifarStaysInItsFiles) {
  constexpr uint64_t kRecord = 3073, kCount = 20000;
  TempDir dir;
  for (int k = 1; k <= 5; ++k) {
    const std::string path = dir / ("data_batch_" + std::to_string(k) + ".bin");
    write_sparse(path, {static_cast<uint8_t>(k)}, kCount * kRecord);
    write_at(path, 123 * kRecord + 2, {static_cast<uint8_t>(50 + k)});
  }
  expect_small(24 * kMiB, [&] {
    const auto data = open_dataset(options_of("cifar10", dir));
    ASSERT_EQ(data->size(), 100000);
    for (int64_t k = 0; k < 5; ++k) {
      EXPECT_EQ(data->class_of(k * 20000), k + 1);
      EXPECT_EQ(image_of(*data, k * 20000 + 123)[1], static_cast<float>(static_cast<double>(51 + k) / 255.0));
      EXPECT_EQ(image_of(*data, k * 20000 + 123)[0], 0);
    }
    for (int64_t i = 0; i < 100000; i += 7) image_of(*data, i);
  });
}

TEST(LargeData, GzipIsUnpackedToADisk) {
  TempDir dir, temporary;
  const ScopedVariable folder("TMPDIR", temporary.path().c_str());
  const std::string images = write_black_images(dir, 2000, 256);  // 125 MiB
  write_at(images, 16 + 1999 * 65536, {255});
  pack_file(images);
  expect_small(24 * kMiB, [&] {
    const auto data = open_dataset(options_of("mnist", dir));
    EXPECT_EQ(temporary.count(), 0u) << "no name is left behind";
    ASSERT_EQ(data->size(), 2000);
    EXPECT_EQ(image_of(*data, 1999)[0], 1);
    EXPECT_EQ(image_of(*data, 1998)[0], 0);
  });
}

/// 128 x 128; a sample has about 160 KB of frames with an event in most places.
class BusySource final : public EventSource {
 public:
  int64_t size() const override { return 250; }
  int64_t width() const override { return 128; }
  int64_t height() const override { return 128; }
  int64_t classes() const override { return 2; }
  int64_t label(int64_t index) const override { return index % 2; }
  EventStream events(int64_t index) const override {
    ++reads;
    Rng rng(4, Purpose::test, static_cast<uint64_t>(index));
    EventStream stream{128, 128, {}};
    for (int64_t t = 0; t < 170000; ++t) {
      const uint32_t drawn = rng.next();
      stream.events.push_back({t, static_cast<uint16_t>(drawn & 127), static_cast<uint16_t>(drawn >> 7 & 127),
                               static_cast<uint8_t>(drawn >> 14 & 1)});
    }
    return stream;
  }
  std::string describe() const override { return "busy"; }
  mutable std::atomic<int> reads{0};
};

TEST(LargeData, CachedFramesLieInAFile) {
  TempDir temporary;
  const ScopedVariable folder("TMPDIR", temporary.path().c_str());
  const auto source = std::make_shared<BusySource>();
  FrameDatasetOptions options;
  options.steps = 8;
  options.events.accumulate = "count";
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < 250; ++i) indices.push_back(249 - i);
  const auto data = make_frame_dataset(source, indices, options);
  expect_small(24 * kMiB, [&] {
    std::vector<uint8_t> first(static_cast<size_t>(data->sample().numel())), second = first;
    for (int64_t i = 0; i < 250; ++i) data->read(i, 0, first.data());
    EXPECT_EQ(source->reads, 250);
    EXPECT_GT(data->cache_bytes(), 35 * kMiB);
    data->read(7, 0, first.data());
    data->read(7, 1, second.data());
    EXPECT_EQ(first, second);
    EXPECT_EQ(source->reads, 250);
  });
  EXPECT_EQ(temporary.count(), 0u);
  FrameDatasetOptions none = options;
  none.events.cache_mib = 0;
  const auto again = make_frame_dataset(source, indices, none);
  std::vector<uint8_t> cached(static_cast<size_t>(data->sample().numel())), made = cached;
  for (const int64_t i : {0, 7, 249}) {
    data->read(i, 0, cached.data());
    again->read(i, 0, made.data());
    EXPECT_EQ(cached, made) << i;
  }
}

TEST(LargeData, FramesNeedAFolderForTheCacheOnlyIfThereIsOne) {
  TempDir dir;
  const ScopedVariable folder("TMPDIR", (dir / "absent").c_str());
  FrameDatasetOptions options;
  options.name = "busy train";
  options.steps = 2;
  const auto source = std::make_shared<BusySource>();
  const auto data = make_frame_dataset(source, {0, 1}, options);
  std::vector<uint8_t> out(static_cast<size_t>(data->sample().numel()));
  const std::string what = message_of<SystemError>([&] { data->read(0, 0, out.data()); });
  EXPECT_NE(what.find("cannot put frames of busy train into a temporary file"), std::string::npos) << what;
  options.events.cache_mib = 0;
  make_frame_dataset(source, {0, 1}, options)->read(0, 0, out.data());
}

/// 120 images of 6 x 6 in all the ways there are.
TEST(LargeData, TheSameValuesFromMemoryFileAndGzip) {
  TempDir plain, packed;
  for (const TempDir* dir : {&plain, &packed}) {
    std::filesystem::create_directories(*dir / "fashion-mnist");
    write_idx_part(*dir / "fashion-mnist", "train", counted_labels(120), 6);
  }
  for (const char* file : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"})
    pack_file(packed / (std::string("fashion-mnist/") + file));
  for (const bool augment : {false, true}) {
    DataOptions options = options_of("fashion-mnist", plain);
    options.augment = augment;
    options.validation = 30;
    const auto from_file = open_dataset(options);
    options.dir = packed.path();
    const auto from_gzip = open_dataset(options);
    RawImages raw = read_idx_dataset("fashion-mnist", plain.path(), true);
    raw.pixels.resize(120 * 36);
    for (int64_t i = 0; i < 120; ++i) raw.read(i, raw.pixels.data() + i * 36);
    raw.files.clear();
    ImageTransform transform;
    if (augment) transform.crop_border = 2, transform.flip = true;
    const auto in_memory = make_image_dataset("memory", std::make_shared<const RawImages>(raw),
                                              split_indices(options, 120), transform);
    ASSERT_EQ(in_memory->size(), 90);
    ASSERT_EQ(from_file->size(), 90);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      for (int64_t i = 0; i < 90; ++i) {
        const std::vector<float> expected = image_of(*in_memory, i, epoch);
        ASSERT_EQ(image_of(*from_file, i, epoch), expected) << i;
        ASSERT_EQ(image_of(*from_gzip, i, epoch), expected) << i;
        ASSERT_EQ(from_file->class_of(i), in_memory->class_of(i));
      }
    }
  }
}

TEST(LargeData, FilesThatChangeDuringARun) {
  TempDir dir;
  std::filesystem::create_directories(dir / "mnist");
  write_idx_part(dir / "mnist", "train", counted_labels(100));
  const std::string images = dir / "mnist/train-images-idx3-ubyte";
  const auto data = open_dataset(options_of("mnist", dir));
  const std::vector<float> before = image_of(*data, 99);
  std::filesystem::rename(images, dir / "old");
  write_idx_part(dir / "mnist", "train", Bytes(50, 1));
  EXPECT_EQ(image_of(*data, 99), before) << "another file of this name";
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // file times are coarse
  ASSERT_EQ(truncate((dir / "old").c_str(), 16 + 784 * 99 + 700), 0);
  const std::string what = message_of<DataError>([&] { image_of(*data, 99); });
  EXPECT_NE(what.find("was written to after it had been opened"), std::string::npos) << what;
  EXPECT_THROW(image_of(*data, 0), DataError) << "what is still there may have changed too";
  Loader loader(*data, {});
  loader.start(0);
  Batch batch;
  EXPECT_THROW(while (loader.next(batch)){}, DataError);
}

TEST(LargeData, FilesThatAreTooShort) {
  TempDir dir;
  const std::string images = write_black_images(dir, 100, 28);
  const auto refused = [&](uint64_t bytes) {
    EXPECT_EQ(truncate(images.c_str(), static_cast<off_t>(bytes)), 0);
    return message_of<DataError>([&] { open_dataset(options_of("mnist", dir)); });
  };
  EXPECT_NE(refused(16 + 78399).find("dimensions need 78400 values, found 78399"), std::string::npos);
  EXPECT_NE(refused(16 + 78401).find("dimensions need 78400 values, found 78401"), std::string::npos);
  EXPECT_NE(refused(15).find("expected 16 header bytes, found 15"), std::string::npos);
  EXPECT_NE(refused(0).find("expected a 4-byte IDX magic, found 0 bytes"), std::string::npos);
  std::filesystem::remove(images);
  write_sparse(images, make_idx({1, 65536, 65536}, {}), 16 + (uint64_t{1} << 32));
  write_file_atomic(dir / "mnist/train-labels-idx1-ubyte", {make_idx({1}, {0})});
  const std::string huge = message_of<DataError>([&] { open_dataset(options_of("mnist", dir)); });
  EXPECT_NE(huge.find("expected images of at most 1073741824 pixels, found 4294967296"), std::string::npos)
      << huge;
}

TEST(LargeData, PixelsMustBeThere) {
  RawImages raw;
  raw.height = raw.width = 2;
  raw.labels = {0, 1};
  raw.pixels = Bytes(7);
  Bytes out(4);
  raw.read(0, out.data());
  EXPECT_THROW(raw.read(1, out.data()), UsageError);
  EXPECT_THROW(raw.read(-1, out.data()), UsageError);
  EXPECT_THROW(make_image_dataset("short", std::make_shared<const RawImages>(raw), {0, 1}, {}), UsageError);
}

/// Remembers which samples were announced before they were read.
class Announced final : public Dataset, public ReadsAhead {
 public:
  int64_t size() const override { return 50; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t) const override { return 0; }
  void read_ahead(const int64_t* indices, int64_t count) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    largest = std::max(largest, count);
    announced_.insert(indices, indices + count);
  }
  void read(int64_t index, int64_t, void* out) const override {
    *static_cast<float*>(out) = 0;
    const std::lock_guard<std::mutex> lock(mutex_);
    missed += announced_.erase(index) == 0;
  }
  std::string describe() const override { return "announced"; }
  mutable int64_t largest = 0;
  mutable int missed = 0;

 private:
  mutable std::mutex mutex_;
  mutable std::set<int64_t> announced_;
  SampleSpec sample_ = SampleSpec::image({1});
  TargetSpec target_ = TargetSpec::class_index(2);
};

TEST(LargeData, ALoaderAnnouncesTheSamplesOfABatch) {
  const Announced data;
  LoaderOptions options;
  options.batch_size = 16;
  options.threads = 2;
  Loader loader(data, options);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    loader.start(epoch);
    Batch batch;
    while (loader.next(batch)) {
    }
  }
  EXPECT_EQ(data.missed, 0);
  EXPECT_EQ(data.largest, 16);
}

}  // namespace spiketrain::large_data_test
