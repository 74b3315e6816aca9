// Files read in pieces, files without a name, gzip unpacked into them.
#include "spiketrain/base/input_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <thread>

#include "spiketrain/base/check.h"
#include "spiketrain/base/gunzip.h"
#include "tests/support/message.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::input_file_test {

Bytes numbered(size_t n) {
  Bytes bytes(n);
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + (i >> 8));
  return bytes;
}

void pack(const std::string& path, const Bytes& bytes) {
  gzFile file = gzopen(path.c_str(), "wb1");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

void overwrite(const std::string& path, int64_t at, const std::string& text) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << text;
}

uint64_t all_of_it(ByteSpan /*head*/) { return UINT64_MAX; }

TEST(InputFile, ReadsPiecesInAnyOrder) {
  TempDir dir;
  const Bytes bytes = numbered(10000);
  write_file_atomic(dir / "f", {bytes});
  const InputFile file(dir / "f");
  EXPECT_EQ(file.size(), 10000u);
  EXPECT_EQ(file.path(), dir / "f");
  for (const uint64_t at : {9999, 0, 5000, 4096, 17}) {
    const size_t count = std::min<size_t>(3000, 10000 - at);
    file.will_read(at, count);
    const auto begin = bytes.begin() + static_cast<int64_t>(at);
    EXPECT_EQ(file.read(at, count), Bytes(begin, begin + static_cast<int64_t>(count)));
  }
  EXPECT_TRUE(file.read(10000, 0).empty());
  EXPECT_EQ(file.read(0, 10000), bytes);
}

TEST(InputFile, RefusesWhatIsNotThere) {
  TempDir dir;
  write_file_atomic(dir / "f", std::string("abc"));
  const InputFile file(dir / "f");
  const std::string past = message_of<DataError>([&] { file.read(1, 3); });
  EXPECT_NE(past.find("byte 3: expected 3 bytes from byte 1 on"), std::string::npos) << past;
  EXPECT_THROW(file.read(4, 0), DataError);
  EXPECT_THROW(file.read(UINT64_MAX, 2), DataError) << "an end that wraps around";
  EXPECT_THROW(file.read(0, SIZE_MAX), DataError) << "before anything is allocated";
  EXPECT_THROW(InputFile(dir / "absent"), SystemError);
  EXPECT_THROW(InputFile(dir.path()), DataError);
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(InputFile(dir / "pipe"), DataError) << "without waiting for its other end";
  write_file_atomic(dir / "empty", std::string());
  const InputFile empty(dir / "empty");
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_TRUE(empty.read(0, 0).empty());
  EXPECT_THROW(empty.read(0, 1), DataError);
}

TEST(InputFile, WhoeverWritesIntoItEndsTheReading) {
  TempDir dir;
  const auto message_after = [&](const std::function<void()>& change) {
    write_file_atomic(dir / "f", {numbered(9000)});
    const InputFile file(dir / "f");
    EXPECT_EQ(file.read(0, 9000), numbered(9000));
    change();
    return message_of<DataError>([&] { file.read(10, 20); });
  };
  const std::string cut = message_after([&] { ASSERT_EQ(truncate((dir / "f").c_str(), 15), 0); });
  EXPECT_NE(cut.find("was written to after it had been opened (9000 bytes then, 15 now)"), std::string::npos)
      << cut;
  const std::string emptied = message_after([&] { std::ofstream(dir / "f", std::ios::trunc); });
  EXPECT_NE(emptied.find("0 now"), std::string::npos) << emptied;
  const auto later = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  };  // file times are coarse
  const std::string same_size = message_after([&] {
    later();
    overwrite(dir / "f", 4000, "other bytes");
  });
  EXPECT_NE(same_size.find("9000 bytes then, 9000 now"), std::string::npos) << same_size;
  message_after([&] {
    later();
    overwrite(dir / "f", 9000, "more");
  });
}

TEST(InputFile, WhatIsRenamedOverItChangesNothing) {
  TempDir dir;
  write_file_atomic(dir / "f", {numbered(9000)});
  const InputFile file(dir / "f");
  write_file_atomic(dir / "f", {Bytes(100, 1)});
  EXPECT_EQ(file.read(0, 9000), numbered(9000));
  std::filesystem::remove(dir / "f");
  EXPECT_EQ(file.read(8999, 1), Bytes(1, numbered(9000).back())) << "nor does taking its name away";
}

TEST(InputFile, ManyThreads) {
  TempDir dir;
  const Bytes bytes = numbered(1 << 20);
  write_file_atomic(dir / "f", {bytes});
  const InputFile file(dir / "f");
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (size_t k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      for (size_t i = k; i < 1000; i += 3) {
        const size_t at = i * 1009 % 1000000;
        const Bytes piece = file.read(at, 777);
        if (!std::equal(piece.begin(), piece.end(), bytes.begin() + static_cast<int64_t>(at))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ScratchFile, HasNoName) {
  TempDir dir;
  const ScopedVariable folder("TMPDIR", dir.path().c_str());
  ScratchFile file("numbers");
  EXPECT_EQ(dir.count(), 0u);
  EXPECT_EQ(file.append(numbered(5000)), 0u);
  EXPECT_EQ(file.append(ByteSpan()), 5000u);
  EXPECT_EQ(file.append(numbered(10)), 5000u);
  Bytes back(4990);
  file.will_read(10, 4990);
  file.read(10, 4990, back.data());
  const Bytes all = numbered(5000);
  EXPECT_EQ(back, Bytes(all.begin() + 10, all.end()));
  EXPECT_THROW(file.read(5000, 11, back.data()), DataError);
  EXPECT_EQ(dir.count(), 0u);
}

TEST(ScratchFile, SaysWhereThereIsNoRoom) {
  TempDir dir;
  const ScopedVariable folder("TMPDIR", (dir / "absent").c_str());
  const std::string what = message_of<SystemError>([] { ScratchFile("frames of x"); });
  EXPECT_EQ(what, dir / "absent" +
                      ": cannot put frames of x into a temporary file in this folder (TMPDIR says where): "
                      "No such file or directory");
}

TEST(ScratchFile, ForksShareItsEnd) {
  ScratchFile file("pieces");
  constexpr int kProcesses = 4, kPieces = 200;
  std::vector<pid_t> children;
  TempDir dir;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = fork();
    if (child == 0) {
      std::ofstream places(dir / std::to_string(p));
      for (int i = 0; i < kPieces; ++i) {
        const Bytes piece(static_cast<size_t>(1 + i), static_cast<uint8_t>(p * 50 + i % 50));
        places << file.append(piece) << '\n';
      }
      places.close();
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  for (int p = 0; p < kProcesses; ++p) {
    std::ifstream places(dir / std::to_string(p));
    for (int i = 0; i < kPieces; ++i) {
      uint64_t at = 0;
      ASSERT_TRUE(places >> at);
      Bytes piece(static_cast<size_t>(1 + i));
      file.read(at, piece.size(), piece.data());
      ASSERT_EQ(piece, Bytes(piece.size(), static_cast<uint8_t>(p * 50 + i % 50))) << p << ' ' << i;
    }
  }
}

TEST(Gunzip, IntoAFileWithoutAName) {
  TempDir dir, temporary;
  const ScopedVariable folder("TMPDIR", temporary.path().c_str());
  const Bytes bytes = numbered(5000000);
  pack(dir / "f.gz", bytes);
  const auto file = open_gzip_or_plain(dir / "f.gz", UINT64_MAX, all_of_it);
  EXPECT_EQ(file->size(), bytes.size());
  EXPECT_EQ(file->path(), dir / "f.gz");
  EXPECT_EQ(file->read(0, bytes.size()), bytes);
  EXPECT_EQ(file->read(4999990, 10), Bytes(bytes.end() - 10, bytes.end()));
  EXPECT_EQ(temporary.count(), 0u);
  EXPECT_THROW(open_gzip_or_plain(dir / "f.gz", 4999999, all_of_it), DataError);
  const auto less = [](ByteSpan head) { return head.size < 4096 ? 0 : 4999999; };
  EXPECT_THROW(open_gzip_or_plain(dir / "f.gz", UINT64_MAX, less), DataError) << "than the header declares";
  write_file_atomic(dir / "f.gz", std::string("no gzip any more"));
  EXPECT_EQ(file->read(0, 5), Bytes(bytes.begin(), bytes.begin() + 5)) << "what was unpacked stays";
  const ScopedVariable nowhere("TMPDIR", (dir / "absent").c_str());
  pack(dir / "f.gz", bytes);
  const std::string what =
      message_of<SystemError>([&] { open_gzip_or_plain(dir / "f.gz", UINT64_MAX, all_of_it); });
  EXPECT_NE(what.find("cannot put what " + dir / "f.gz" + " unpacks to into a temporary file"),
            std::string::npos)
      << what;
}

TEST(Gunzip, PlainFilesStayWhereTheyAre) {
  TempDir dir;
  const ScopedVariable nowhere("TMPDIR", (dir / "absent").c_str());
  for (const size_t size : {0, 1, 2, 5000}) {
    write_file_atomic(dir / "f", {numbered(size)});
    size_t head = SIZE_MAX;
    const auto seen = [&](ByteSpan bytes) { return head = bytes.size, uint64_t{1}; };
    const auto file = open_gzip_or_plain(dir / "f", 1, seen);
    EXPECT_EQ(file->read(0, file->size()), numbered(size));
    EXPECT_EQ(head, std::min<size_t>(size, 4096));
  }
  const auto refuse = [](ByteSpan) -> uint64_t { throw DataError("f", 0, "refused"); };
  EXPECT_THROW(open_gzip_or_plain(dir / "f", 1, refuse), DataError);
}

/// Streams and padding around the border of what is read at once.
TEST(Gunzip, StreamsAcrossPieces) {
  TempDir dir;
  Bytes random(700000);
  uint32_t state = 1;
  for (uint8_t& byte : random) byte = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  pack(dir / "one.gz", random);  // it does not compress
  const Bytes one = read_file(dir / "one.gz");
  Bytes expected;
  for (int i = 0; i < 3; ++i) expected.insert(expected.end(), random.begin(), random.end());
  const Bytes zeros(3 << 20, 0);
  write_file_atomic(dir / "f.gz", {one, one, one, zeros});
  EXPECT_EQ(read_gzip_or_plain(dir / "f.gz", UINT64_MAX), expected);
  const Bytes garbage = {0, 1};
  write_file_atomic(dir / "f.gz", {one, one, zeros, garbage});
  const std::string what = message_of<DataError>([&] { read_gzip_or_plain(dir / "f.gz", UINT64_MAX); });
  EXPECT_NE(what.find(std::to_string(zeros.size() + 2) + " bytes that are no gzip follow"), std::string::npos)
      << what;
}

}  // namespace spiketrain::input_file_test
