// IDX: the parser's checks, pairing of files, and the real data sets if they are there.
#include "spiketrain/data/images/idx.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "spiketrain/base/check.h"
#include "tests/support/idx_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::idx_test {

void expect_rejected(const Bytes& file, uint64_t offset, const std::string& message) {
  try {
    parse_idx(file, "mem");
    ADD_FAILURE() << "accepted: " << message;
  } catch (const DataError& error) {
    EXPECT_EQ(error.byte_offset, offset) << error.what();
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

TEST(Idx, ParsesShapeAndValues) {
  const Bytes file = make_idx({2, 1, 3}, {1, 2, 3, 4, 5, 255});
  const IdxArray array = parse_idx(file, "mem");
  EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 1, 3}));
  ASSERT_EQ(array.values.size, 6u);
  EXPECT_EQ(array.values.data[5], 255);
}

TEST(Idx, RejectsMalformed) {
  const Bytes good = make_idx({2, 3}, {1, 2, 3, 4, 5, 6});
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_THROW(parse_idx({good.data(), n}, "mem"), DataError) << n;
  }
  expect_rejected({1, 0, 8, 1, 0, 0, 0, 1, 9}, 0, "two zero bytes");
  expect_rejected(make_idx({1}, {0}, 9), 2, "type 8");
  expect_rejected(make_idx({}, {0}), 3, "dimensions");
  expect_rejected(make_idx({1, 1, 1, 1, 1}, {0}), 3, "dimensions");
  expect_rejected(make_idx({3, 0}, {}), 8, "zero");
  expect_rejected(make_idx({2, 3}, {1, 2, 3, 4, 5, 6, 7}), 18, "need 6 values, found 7");
  expect_rejected(make_idx({2, 3}, {1, 2, 3, 4, 5}), 17, "need 6 values, found 5");
  expect_rejected(make_idx({0xffffffff, 0xffffffff, 0xffffffff}, {1}), 12, "overflow");
  expect_rejected(make_idx({0xffffffff, 0xffffffff}, {1}), 13, "found 1");
}

/// Of all samples.
Bytes pixels_of(const RawImages& raw) {
  Bytes pixels(static_cast<size_t>(raw.size() * raw.sample_bytes()));
  for (int64_t i = 0; i < raw.size(); ++i) raw.read(i, pixels.data() + i * raw.sample_bytes());
  return pixels;
}

TEST(Idx, PairMustBelongTogether) {
  TempDir dir;
  auto write = [&](const std::string& name, const Bytes& bytes) { write_file_atomic(dir / name, {bytes}); };
  write("images", make_idx({2, 2, 2}, Bytes(8, 7)));
  write("labels", make_idx({2}, {0, 9}));
  const RawImages raw = read_idx_pair(dir / "images", dir / "labels");
  EXPECT_EQ(raw.size(), 2);
  EXPECT_EQ(raw.height, 2);
  EXPECT_TRUE(raw.pixels.empty()) << "they stay in the file";
  EXPECT_EQ(pixels_of(raw), Bytes(8, 7));
  EXPECT_EQ(raw.labels, (Bytes{0, 9}));
  write("three", make_idx({3}, {0, 1, 2}));
  write("high", make_idx({2}, {0, 10}));
  EXPECT_THROW(read_idx_pair(dir / "images", dir / "three"), DataError);
  EXPECT_THROW(read_idx_pair(dir / "images", dir / "high"), DataError);
  EXPECT_THROW(read_idx_pair(dir / "images", dir / "images"), DataError);
  EXPECT_THROW(read_idx_pair(dir / "labels", dir / "labels"), DataError);
}

TEST(Idx, MissingFileSaysHowToGetIt) {
  TempDir dir;
  try {
    read_idx_dataset("fashion-mnist", dir.path(), false);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_EQ(error.path, dir / "fashion-mnist/t10k-images-idx3-ubyte");
    EXPECT_NE(std::string(error.what()).find("spiketrain data fetch fashion-mnist"), std::string::npos);
  }
}

TEST(Idx, TheOfficialFileComesBeforeAnUnpackedOne) {
  TempDir dir;
  std::filesystem::create_directories(dir / "mnist");
  write_idx_part(dir / "mnist", "t10k", {3, 1, 4});
  for (const char* file : {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    const std::string path = dir / (std::string("mnist/") + file);
    const Bytes bytes = read_file(path);
    gzFile packed = gzopen((path + ".gz").c_str(), "wb");
    EXPECT_EQ(gzwrite(packed, bytes.data(), static_cast<unsigned>(bytes.size())),
              static_cast<int>(bytes.size()));
    gzclose(packed);
    write_file_atomic(path, std::string("damaged"));
  }
  EXPECT_EQ(read_idx_dataset("mnist", dir.path(), false).labels, (Bytes{3, 1, 4}));
}

void check_real(const std::string& name, const std::array<int, 10>& train, const std::array<int, 10>& test) {
  const char* dir = std::getenv("SPIKETRAIN_DATA");
  if (!dir) GTEST_SKIP() << "SPIKETRAIN_DATA is not set";
  for (bool is_train : {true, false}) {
    const RawImages raw = read_idx_dataset(name, dir, is_train);
    EXPECT_EQ(raw.size(), is_train ? 60000 : 10000);
    EXPECT_EQ(raw.sample_bytes(), 784);
    std::array<int, 10> counts{};
    for (uint8_t label : raw.labels) ++counts[label];
    EXPECT_EQ(counts, is_train ? train : test);
  }
}

TEST(Idx, RealMnistLabelCounts) {
  check_real("mnist", {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
             {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
}

TEST(Idx, RealFashionMnistLabelCounts) {
  std::array<int, 10> train, test;
  train.fill(6000);
  test.fill(1000);
  check_real("fashion-mnist", train, test);
}

TEST(Idx, RealMnistMeanAndStd) {
  const char* dir = std::getenv("SPIKETRAIN_DATA");
  if (!dir) GTEST_SKIP() << "SPIKETRAIN_DATA is not set";
  const RawImages raw = read_idx_dataset("mnist", dir, true);
  double sum = 0, sum2 = 0;
  const Bytes pixels = pixels_of(raw);
  for (uint8_t pixel : pixels) sum += pixel, sum2 += double{1} * pixel * pixel;
  const double n = static_cast<double>(pixels.size()), mean = sum / n / 255;
  EXPECT_NEAR(mean, 0.1307, 5e-5);
  EXPECT_NEAR(std::sqrt(sum2 / n / 255 / 255 - mean * mean), 0.3081, 5e-5);
}

}  // namespace spiketrain::idx_test
