// Chunks of HDF5 data sets: each filter undone, alone and together; what does not unpack to its size is refused.
#include "spiketrain/base/hdf5_filters.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "spiketrain/base/lzf.h"

namespace spiketrain::hdf5_filters_test {

using Kind = Hdf5Filter::Kind;

Bytes counted(size_t n) {
  Bytes bytes(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i * 7 % 251);
  return bytes;
}

Bytes deflated(const Bytes& bytes) {
  Bytes packed(compressBound(bytes.size()));
  uLongf size = packed.size();
  EXPECT_EQ(compress(packed.data(), &size, bytes.data(), bytes.size()), Z_OK);
  packed.resize(size);
  return packed;
}

/// Elements of four bytes.
Bytes shuffled(const Bytes& bytes) {
  Bytes result;
  const size_t count = bytes.size() / 4;
  for (size_t byte = 0; byte < 4; ++byte)
    for (size_t i = 0; i < count; ++i) result.push_back(bytes[i * 4 + byte]);
  result.insert(result.end(), bytes.begin() + static_cast<int64_t>(count * 4), bytes.end());
  return result;
}

bool unpacks(const Bytes& stored, const std::vector<Hdf5Filter>& filters, const Bytes& wanted,
             uint32_t skipped = 0) {
  Bytes out;
  return unpack_hdf5_chunk(stored, filters, skipped, wanted.size(), out) && out == wanted;
}

TEST(Hdf5Filters, EachAloneAndTogether) {
  const Bytes bytes = counted(1002);
  const Hdf5Filter deflate{Kind::deflate}, shuffle{Kind::shuffle, 4};
  EXPECT_TRUE(unpacks(bytes, {}, bytes));
  EXPECT_TRUE(unpacks(deflated(bytes), {deflate}, bytes));
  EXPECT_TRUE(unpacks(shuffled(bytes), {shuffle}, bytes));
  EXPECT_TRUE(unpacks(deflated(shuffled(bytes)), {shuffle, deflate}, bytes));
  EXPECT_TRUE(unpacks(shuffled(deflated(bytes)), {deflate, shuffle}, bytes));
  EXPECT_FALSE(unpacks(deflated(shuffled(bytes)), {deflate, shuffle}, bytes));
  EXPECT_TRUE(unpacks(shuffled(bytes), {shuffle, deflate}, bytes, 2)) << "the second was left out";
  EXPECT_TRUE(unpacks(deflated(bytes), {shuffle, deflate}, bytes, 1)) << "the first was left out";
  EXPECT_TRUE(unpacks({2, 'a', 'b', 'c', 0x20, 2}, {{Kind::lzf}}, {'a', 'b', 'c', 'a', 'b', 'c'}));
}

TEST(Hdf5Filters, WhatIsNotOfItsSizeIsRefused) {
  const auto refuses = [](const Bytes& stored, const std::vector<Hdf5Filter>& filters, size_t size,
                          uint32_t skipped = 0) {
    Bytes out;
    return !unpack_hdf5_chunk(stored, filters, skipped, size, out);
  };
  const Hdf5Filter deflate{Kind::deflate}, lzf{Kind::lzf};
  const Bytes packed = deflated(counted(100));
  EXPECT_FALSE(refuses(packed, {deflate}, 100));
  for (const size_t size : {0, 1, 99, 101, 4096, 1 << 24}) {
    EXPECT_TRUE(refuses(packed, {deflate}, size)) << size;
    EXPECT_TRUE(refuses(counted(100), {}, size)) << size;
    EXPECT_TRUE(refuses(packed, {deflate}, size, 1)) << size;
    EXPECT_TRUE(refuses(Bytes{2, 'a', 'b', 'c'}, {lzf}, size)) << size;
    EXPECT_TRUE(refuses(counted(100), {{Kind::shuffle, 4}}, size)) << size;
  }
  for (size_t cut = 1; cut < packed.size(); ++cut)
    EXPECT_TRUE(refuses(Bytes(packed.begin(), packed.end() - static_cast<int64_t>(cut)), {deflate}, 100))
        << cut;
  Bytes wrong = packed;
  wrong.back() ^= 1;  // of the checksum
  EXPECT_TRUE(refuses(wrong, {deflate}, 100));
  EXPECT_TRUE(refuses(counted(100), {deflate}, 100));
  EXPECT_TRUE(refuses({}, {deflate}, 100));
  EXPECT_TRUE(refuses({}, {lzf}, 1));
}

TEST(Hdf5Filters, Lzf) {
  const auto unpack = [](const Bytes& packed, size_t most = 1000) {
    Bytes out;
    return unpack_lzf(packed, most, out) ? std::string(out.begin(), out.end()) : "refused";
  };
  EXPECT_EQ(unpack({2, 'a', 'b', 'c'}), "abc");
  EXPECT_EQ(unpack({2, 'a', 'b', 'c', 0x20, 2}), "abcabc");            // 3 from 3 back
  EXPECT_EQ(unpack({0, 'a', 0xE0, 1, 0}), "aaaaaaaaaaa");              // 10 from 1 back, overlapping
  EXPECT_EQ(unpack({2, 'a', 'b', 'c', 0x40, 1, 0, 'd'}), "abcbcbcd");  // 4 from 2 back
  EXPECT_EQ(unpack({}), "");
  for (const Bytes& bad :
       {Bytes{2, 'a'}, Bytes{0x20, 0}, Bytes{0, 'a', 0x20, 1}, Bytes{0, 'a', 0xE0}, Bytes{0, 'a', 0xE0, 1}})
    EXPECT_EQ(unpack(bad), "refused");
  EXPECT_EQ(unpack({0, 'a', 0xE0, 255, 0}, 265), std::string(265, 'a'));
  EXPECT_EQ(unpack({0, 'a', 0xE0, 255, 0}, 264), "refused");
}

}  // namespace spiketrain::hdf5_filters_test
