// CIFAR-10: parser, folders, normalisation, and the augmentation's exact meaning.
#include "spiketrain/data/images/cifar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <tuple>

#include "spiketrain/base/check.h"
#include "spiketrain/data/source.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::cifar_test {

constexpr size_t kRecord = 3073;

Bytes make_batch(size_t records, uint8_t first_label) {
  Bytes bytes;
  for (size_t i = 0; i < records; ++i) {
    bytes.push_back(static_cast<uint8_t>((first_label + i) % 10));
    // Every pixel of the first channel differs from its neighbours and is never black.
    for (size_t p = 0; p < 3072; ++p)
      bytes.push_back(static_cast<uint8_t>(1 + (p * 7 + p / 32 * 5 + i) % 255));
  }
  return bytes;
}

void write_all(const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (uint8_t i = 1; i <= 5; ++i) {
    const Bytes batch = make_batch(2, i);
    write_file_atomic(folder + "/data_batch_" + std::to_string(i) + ".bin", {batch});
  }
  const Bytes batch = make_batch(3, 0);
  write_file_atomic(folder + "/test_batch.bin", {batch});
}

TEST(Cifar, ParsesLabels) {
  Bytes labels;
  const Bytes batch = make_batch(2, 8);
  parse_cifar10(batch, "mem", 0, labels);
  parse_cifar10(batch, "mem", batch.size(), labels);
  EXPECT_EQ(labels, (Bytes{8, 9, 8, 9}));
}

TEST(Cifar, RejectsMalformed) {
  Bytes labels, batch = make_batch(2, 0);
  EXPECT_THROW(parse_cifar10({}, "mem", 0, labels), DataError);
  EXPECT_THROW(parse_cifar10({batch.data(), batch.size() - 1}, "mem", 0, labels), DataError);
  batch[kRecord] = 10;
  try {
    parse_cifar10(batch, "mem", 7 * kRecord, labels);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_EQ(error.byte_offset, 8 * kRecord);
  }
  EXPECT_TRUE(labels.empty());
}

TEST(Cifar, PixelsStayInTheFiles) {
  TempDir dir;
  write_all(dir.path());
  const RawImages raw = read_cifar10(dir.path(), true);
  EXPECT_TRUE(raw.pixels.empty());
  EXPECT_EQ(raw.sample_bytes(), 3072);
  for (int64_t i = 0; i < 10; ++i) {
    const Bytes batch = make_batch(2, static_cast<uint8_t>(1 + i / 2));
    const auto record = batch.begin() + i % 2 * static_cast<int64_t>(kRecord);
    Bytes pixels(3072);
    raw.read(i, pixels.data());
    EXPECT_EQ(pixels, Bytes(record + 1, record + kRecord)) << i;
  }
  Bytes pixels(3072);
  for (const int64_t outside : {-1, 10}) EXPECT_THROW(raw.read(outside, pixels.data()), UsageError);
}

TEST(Cifar, ABatchOfAnySize) {
  TempDir dir;
  write_all(dir.path());
  Bytes many = make_batch(1000, 3);  // more than are read at once
  write_file_atomic(dir / "test_batch.bin", {many});
  const RawImages raw = read_cifar10(dir.path(), false);
  ASSERT_EQ(raw.size(), 1000);
  for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(raw.labels[i], (3 + i) % 10);
  many[700 * kRecord] = 11;
  write_file_atomic(dir / "test_batch.bin", {many});
  try {
    read_cifar10(dir.path(), false);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_EQ(error.byte_offset, 700 * kRecord);
  }
  write_file_atomic(dir / "test_batch.bin", {{many.data(), 5 * kRecord + 3}});
  EXPECT_THROW(read_cifar10(dir.path(), false), DataError);
  write_file_atomic(dir / "test_batch.bin", std::string());
  EXPECT_THROW(read_cifar10(dir.path(), false), DataError);
}

TEST(Cifar, FoundInEveryDocumentedFolder) {
  for (const char* inner : {"", "/cifar10", "/cifar-10-batches-bin", "/cifar10/cifar-10-batches-bin"}) {
    TempDir dir;
    write_all(dir.path() + inner);
    EXPECT_EQ(read_cifar10(dir.path(), true).labels, (Bytes{1, 2, 2, 3, 3, 4, 4, 5, 5, 6})) << inner;
    EXPECT_EQ(read_cifar10(dir.path(), false).size(), 3) << inner;
    std::filesystem::remove(dir.path() + inner + "/data_batch_3.bin");
    EXPECT_THROW(read_cifar10(dir.path(), true), DataError) << inner;
  }
  TempDir empty;
  EXPECT_THROW(read_cifar10(empty.path(), true), DataError);
}

TEST(Cifar, NormalisesPerChannel) {
  TempDir dir;
  write_all(dir.path());
  DataOptions options;
  options.name = "cifar10";
  options.dir = dir.path();
  auto data = open_dataset(options);
  EXPECT_EQ(data->sample(), SampleSpec::image({3, 32, 32}));
  std::vector<float> x(3072);
  data->read(1, 0, x.data());
  const Bytes batch = make_batch(2, 1);
  const double mean[] = {0.4914, 0.4822, 0.4465}, std[] = {0.2023, 0.1994, 0.2010};
  for (size_t p = 0; p < 3072; ++p) {
    const double pixel = batch[kRecord + 1 + p] / 255.0;
    ASSERT_FLOAT_EQ(x[p], static_cast<float>((pixel - mean[p / 1024]) / std[p / 1024])) << p;
  }
}

/// True if `x` is `raw` shifted by (dy, dx), zero outside, and mirrored if flip.
bool is_view(const std::vector<float>& x, const uint8_t* raw, int dy, int dx, bool flip) {
  for (int c = 0; c < 3; ++c) {
    for (int row = 0; row < 32; ++row) {
      for (int col = 0; col < 32; ++col) {
        const int from_row = row + dy, from_col = (flip ? 31 - col : col) + dx;
        const bool inside = from_row >= 0 && from_row < 32 && from_col >= 0 && from_col < 32;
        const float expected = inside ? static_cast<float>(raw[(c * 32 + from_row) * 32 + from_col]) : 0.0f;
        if (std::abs(x[static_cast<size_t>((c * 32 + row) * 32 + col)] * 255 - expected) > 0.01f)
          return false;
      }
    }
  }
  return true;
}

TEST(Cifar, AugmentationIsACropOfTheBlackBorderAndAFlip) {
  TempDir dir;
  write_all(dir.path());
  DataOptions options;
  options.name = "cifar10";
  options.dir = dir.path();
  options.augment = true;
  options.mean = 0;  // so that x * 255 is the pixel
  options.std = 1;
  auto data = open_dataset(options);
  const Bytes batch = make_batch(2, 1);
  std::set<std::tuple<int, int, bool>> seen;
  std::vector<float> x(3072), again(3072);
  for (int64_t epoch = 0; epoch < 150; ++epoch) {
    data->read(0, epoch, x.data());
    data->read(0, epoch, again.data());
    ASSERT_EQ(x, again);
    const size_t before = seen.size();
    bool found = false;
    for (int view = 0; view < 162 && !found; ++view) {
      const int dy = view / 2 % 9 - 4, dx = view / 18 - 4;
      found = is_view(x, batch.data() + 1, dy, dx, view % 2 == 1);
      if (found) seen.insert({dy, dx, view % 2 == 1});
    }
    ASSERT_TRUE(found) << "epoch " << epoch << " is no crop, after " << before << " different ones";
  }
  EXPECT_GT(seen.size(), 70u);  // of 162; 150 draws should give about 98

  options.split = "test";  // never augmented
  auto test = open_dataset(options);
  test->read(0, 5, x.data());
  const Bytes test_batch = make_batch(3, 0);
  EXPECT_TRUE(is_view(x, test_batch.data() + 1, 0, 0, false));
}

}  // namespace spiketrain::cifar_test
