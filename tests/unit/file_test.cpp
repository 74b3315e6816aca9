// Bounded reading, gzip, atomic writing.
#include "spiketrain/base/file.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "spiketrain/base/check.h"
#include "tests/support/message.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::file_test {

Bytes pattern(size_t n) {
  Bytes bytes(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>((i * i) >> 3);
  return bytes;
}

void write_gzip(const std::string& path, const Bytes& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

TEST(File, WriteThenRead) {
  TempDir dir;
  const Bytes bytes = pattern(100000);
  write_file_atomic(dir / "f", {bytes, ByteSpan(), {bytes.data(), 3}});
  Bytes expected = bytes;
  expected.insert(expected.end(), bytes.begin(), bytes.begin() + 3);
  EXPECT_EQ(read_file(dir / "f"), expected);
  EXPECT_EQ(file_size(dir / "f"), 100003u);
  write_file_atomic(dir / "f", std::string("new"));
  EXPECT_EQ(read_file(dir / "f"), (Bytes{'n', 'e', 'w'}));
  EXPECT_EQ(dir.count(), 1u) << "temporary files were left behind";
}

TEST(File, FailedWriteLeavesNothing) {
  TempDir dir;
  std::filesystem::create_directory(dir / "taken");
  std::filesystem::create_directory(dir / "taken/inner");
  EXPECT_THROW(write_file_atomic(dir / "taken", std::string("x")), DataError);
  EXPECT_EQ(dir.count(), 1u);
  EXPECT_THROW(write_file_atomic(dir / "no/such/folder", std::string("x")), DataError);
}

TEST(File, ReadErrors) {
  TempDir dir;
  EXPECT_THROW(read_file(dir / "absent"), DataError);
  EXPECT_THROW(read_file(dir.path()), DataError);
  EXPECT_THROW(read_gzip_or_plain(dir / "absent", 10), DataError);
  EXPECT_THROW(read_gzip_or_plain(dir.path(), 10), DataError);
  const Bytes eleven = pattern(11);
  write_file_atomic(dir / "f", {eleven});
  EXPECT_THROW(read_file(dir / "f", 10), DataError);
  EXPECT_EQ(read_file(dir / "f", 11).size(), 11u);
  EXPECT_TRUE(file_exists(dir / "f"));
  EXPECT_FALSE(file_exists(dir.path()));
}

TEST(File, GzipOrPlain) {
  TempDir dir;
  const Bytes bytes = pattern(3000000);
  write_gzip(dir / "f.gz", bytes);
  EXPECT_EQ(read_gzip_or_plain(dir / "f.gz", bytes.size()), bytes);
  EXPECT_THROW(read_gzip_or_plain(dir / "f.gz", bytes.size() - 1), DataError);
  write_file_atomic(dir / "plain", {bytes});
  EXPECT_EQ(read_gzip_or_plain(dir / "plain", bytes.size()), bytes);
  EXPECT_THROW(read_gzip_or_plain(dir / "plain", bytes.size() - 1), DataError);
}

TEST(File, DamagedGzip) {
  TempDir dir;
  write_gzip(dir / "f.gz", pattern(100000));
  const Bytes packed = read_file(dir / "f.gz");
  write_file_atomic(dir / "cut.gz", {{packed.data(), packed.size() / 2}});
  EXPECT_THROW(read_gzip_or_plain(dir / "cut.gz", 1 << 20), DataError);
  write_file_atomic(dir / "no-trailer.gz", {{packed.data(), packed.size() - 8}});
  EXPECT_THROW(read_gzip_or_plain(dir / "no-trailer.gz", 1 << 20), DataError);
  Bytes flipped = packed;
  flipped[packed.size() - 6] ^= 1;  // inside the checksum of the contents
  write_file_atomic(dir / "flipped.gz", {flipped});
  EXPECT_THROW(read_gzip_or_plain(dir / "flipped.gz", 1 << 20), DataError);
}

TEST(File, WhatFollowsAGzip) {
  TempDir dir;
  const Bytes bytes = pattern(5000);
  write_gzip(dir / "f.gz", bytes);
  const Bytes packed = read_file(dir / "f.gz"), garbage = {'n', 'o', 't', ' ', 'g', 'z'}, zeros(512, 0);
  write_file_atomic(dir / "garbage.gz", std::vector<ByteSpan>{packed, garbage});
  const std::string message = message_of<DataError>([&] { read_gzip_or_plain(dir / "garbage.gz", 1 << 20); });
  EXPECT_NE(message.find("6 bytes that are no gzip follow"), std::string::npos) << message;
  write_file_atomic(dir / "padded.gz", std::vector<ByteSpan>{packed, zeros});
  EXPECT_EQ(read_gzip_or_plain(dir / "padded.gz", 1 << 20), bytes);
  write_file_atomic(dir / "two.gz", std::vector<ByteSpan>{packed, packed});
  Bytes twice = bytes;
  twice.insert(twice.end(), bytes.begin(), bytes.end());
  EXPECT_EQ(read_gzip_or_plain(dir / "two.gz", 1 << 20), twice);
}

TEST(File, NoMoreIsUnpackedThanTheHeaderDeclares) {
  TempDir dir;
  write_gzip(dir / "bomb.gz", Bytes(64 << 20, 0));
  size_t head = 0;
  const auto declares = [&](uint64_t size) {
    return [&head, size](ByteSpan bytes) {
      head = bytes.size;
      return size;
    };
  };
  const std::string message =
      message_of<DataError>([&] { read_gzip_or_plain(dir / "bomb.gz", 1 << 30, declares(100)); });
  EXPECT_NE(message.find("more than 100 bytes, which its header declares"), std::string::npos) << message;
  EXPECT_LE(head, size_t{1} << 20);
  EXPECT_EQ(read_gzip_or_plain(dir / "bomb.gz", 1 << 30, declares(64 << 20)).size(), size_t{64} << 20);
}

/// Each costs what it holds, not the room for a chunk.
TEST(File, ManySmallGzipStreams) {
  TempDir dir;
  write_gzip(dir / "one.gz", {7});
  const Bytes one = read_file(dir / "one.gz");
  Bytes packed;
  for (int i = 0; i < 100000; ++i) packed.insert(packed.end(), one.begin(), one.end());
  write_file_atomic(dir / "many.gz", {packed});
  EXPECT_EQ(read_gzip_or_plain(dir / "many.gz", 1 << 22), Bytes(100000, 7));
}

TEST(File, AppendAndRemove) {
  TempDir dir;
  std::vector<FileStep> steps;
  set_file_hook([&](FileStep step, const std::string&) { steps.push_back(step); });
  EXPECT_EQ(append_durably(dir / "f", "ab"), 2u);
  EXPECT_EQ(steps.back(), FileStep::sync_folder);  // a new name
  EXPECT_EQ(append_durably(dir / "f", "c\n"), 4u);
  EXPECT_EQ(steps.back(), FileStep::close);
  remove_durably(dir / "f");
  EXPECT_EQ(steps.back(), FileStep::sync_folder);
  set_file_hook(nullptr);
  EXPECT_FALSE(file_exists(dir / "f"));
  EXPECT_NO_THROW(remove_durably(dir / "f"));
  EXPECT_THROW(remove_durably(dir.path()), SystemError);
  EXPECT_THROW(append_durably(dir / "no/f", "x"), SystemError);
  EXPECT_THROW(append_durably(dir.path(), "x"), SystemError);
}

TEST(File, LockHoldsOthersOff) {
  TempDir dir;
  {
    const FileLock lock(dir / "lock", "the house");
    EXPECT_EQ(message_of<UsageError>([&] { FileLock(dir / "lock", "the house"); }),
              "the house is in use by another process");
  }
  EXPECT_NO_THROW(FileLock(dir / "lock", "the house"));
  EXPECT_THROW(FileLock(dir / "no/lock", "it"), SystemError);
}

}  // namespace spiketrain::file_test
