// Catalogue and fetching, against a server of our own on the loopback interface; no test leaves this machine.
#include <gtest/gtest.h>

#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/base/sha256.h"
#include "spiketrain/data/catalogue.h"
#include "tests/support/http_server.h"
#include "tests/support/tar_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::fetch_test {

Bytes make_bytes(size_t n, uint32_t seed) {
  Bytes bytes(n);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return bytes;
}

/// A data set "toy" of two files and an archive with one wanted member.
struct Fetch : testing::Test {
  void SetUp() override {
    a = make_bytes(200000, 1), b = make_bytes(10, 2), member = make_bytes(70000, 3);
    Bytes tar;
    add_tar_member(tar, "in/readme", Bytes(10, 'x'));
    add_tar_member(tar, "in/member", member);
    end_tar(tar);
    archive = gzip(tar);
    entry.name = "toy";
    entry.downloads = {{{"a.bin", a.size(), md5_hex(a), sha256_hex(a)}, {}},
                       {{"b.bin", b.size(), md5_hex(b), ""}, {}},
                       {{"c.tar.gz", archive.size(), md5_hex(archive), ""},
                        {{"in/member", member.size(), "", sha256_hex(member)}}}};
    server.set("/x/a.bin", {a});
    server.set("/x/b.bin", {b});
    server.set("/x/c.tar.gz", {archive});
    options.base_url = server.url() + "/x";
    options.retries = 1;
    std::filesystem::create_directories(dir / "toy");
  }
  void expect_complete() {
    EXPECT_EQ(read_file(dir / "toy/a.bin"), a);
    EXPECT_EQ(read_file(dir / "toy/b.bin"), b);
    EXPECT_EQ(read_file(dir / "toy/in/member"), member);
    for (const char* gone :
         {"toy/a.bin.part", "toy/b.bin.part", "toy/c.tar.gz", "toy/c.tar.gz.part", "toy/in/readme"}) {
      EXPECT_FALSE(file_exists(dir / gone)) << gone;
    }
  }
  template <class Error>
  void expect_failure(const std::string& message) {
    try {
      fetch(entry, dir.path(), options);
      ADD_FAILURE() << "no error; expected " << message;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
    EXPECT_FALSE(file_exists(dir / "toy/a.bin"));
  }
  void leave_part(size_t n) { write_file_atomic(dir / "toy/a.bin.part", {{a.data(), n}}); }

  HttpServer server;
  TempDir dir;
  CatalogueEntry entry;
  FetchOptions options;
  Bytes a, b, member, archive;
};

TEST_F(Fetch, BringsEverythingOnce) {
  for (const FileStatus& status : data_check(entry, dir.path())) EXPECT_EQ(status.state, FileState::missing);
  const auto states = fetch(entry, dir.path(), options);
  ASSERT_EQ(states.size(), 3u);
  for (const FileStatus& status : states) EXPECT_EQ(status.state, FileState::present) << status.detail;
  EXPECT_EQ(states[0].path, dir / "toy/a.bin");
  expect_complete();
  EXPECT_EQ(server.requests().size(), 3u);
  fetch(entry, dir.path(), options);
  EXPECT_EQ(server.requests().size(), 3u) << "files that are right were fetched again";
}

TEST_F(Fetch, ResumesAPartFile) {
  leave_part(150000);
  fetch(entry, dir.path(), options);
  expect_complete();
  EXPECT_EQ(server.requests()[0].from, 150000);
}

TEST_F(Fetch, FinishedPartNeedsNoRequest) {
  leave_part(a.size());
  fetch(entry, dir.path(), options);
  expect_complete();
  EXPECT_EQ(server.requests()[0].path, "/x/b.bin");
}

TEST_F(Fetch, StartsAnewIfTheServerIgnoresRanges) {
  leave_part(150000);
  HttpServer::Page page{a};
  page.ignore_range = true;
  server.set("/x/a.bin", page);
  fetch(entry, dir.path(), options);
  expect_complete();
}

TEST_F(Fetch, ResumesAfterABrokenConnection) {
  HttpServer::Page page{a};
  page.cut_responses = 1, page.cut_after = 70000;
  server.set("/x/a.bin", page);
  fetch(entry, dir.path(), options);
  expect_complete();
  EXPECT_EQ(server.requests()[0].from, 0);
  EXPECT_EQ(server.requests()[1].from, 70000);
}

TEST_F(Fetch, GivesUpButKeepsWhatItHas) {
  HttpServer::Page page{a};
  page.cut_responses = 2, page.cut_after = 50000;
  server.set("/x/a.bin", page);
  expect_failure<std::runtime_error>("cannot fetch " + server.url() + "/x/a.bin");
  EXPECT_EQ(file_size(dir / "toy/a.bin.part"), 100000u);
  fetch(entry, dir.path(), options);
  expect_complete();
  EXPECT_EQ(server.requests()[2].from, 100000);
}

TEST_F(Fetch, NotFoundIsNotRetried) {
  server.set("/x/a.bin", {{}, 404});
  expect_failure<std::runtime_error>("HTTP status 404");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Fetch, ServerErrorIsRetried) {
  server.set("/x/a.bin", {{}, 503});
  expect_failure<std::runtime_error>("HTTP status 503");
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Fetch, NextUrlIsTried) {
  entry.base_urls = {server.url() + "/gone/", server.url() + "/x/"};
  options.base_url.clear();
  fetch(entry, dir.path(), options);
  expect_complete();
}

TEST_F(Fetch, WrongChecksumIsRefusedAndRemoved) {
  Bytes other = a;
  other[100] ^= 1;
  server.set("/x/a.bin", {other});
  expect_failure<DataError>("not the official a.bin: expected sha256");
  EXPECT_FALSE(file_exists(dir / "toy/a.bin.part"));
  server.set("/x/a.bin", {a});
  fetch(entry, dir.path(), options);
  expect_complete();
}

TEST_F(Fetch, TooLongOrTooShort) {
  server.set("/x/a.bin", {make_bytes(a.size() + 1, 1)});
  expect_failure<DataError>("sends more");
  EXPECT_FALSE(file_exists(dir / "toy/a.bin.part"));
  server.set("/x/a.bin", {make_bytes(a.size() - 1, 1)});
  expect_failure<std::runtime_error>("cannot fetch");
}

TEST_F(Fetch, NoServerAndBadUrls) {
  options.retries = 0;
  options.base_url = "http://127.0.0.1:1";
  expect_failure<std::runtime_error>("cannot fetch http://127.0.0.1:1/a.bin");
  options.base_url = "file:///etc";
  expect_failure<UsageError>("expected a http or https URL");
  EXPECT_THROW(fetch("imagenet", dir.path()), UsageError);
  EXPECT_THROW(fetch(entry, "", options), UsageError);
  write_file_atomic(dir / "file", std::string("x"));
  EXPECT_THROW(fetch(entry, dir / "file", options), DataError);
}

TEST_F(Fetch, ReplacesAWrongFile) {
  write_file_atomic(dir / "toy/a.bin", {b});
  EXPECT_EQ(data_check(entry, dir.path())[0].state, FileState::wrong);
  EXPECT_EQ(data_check(entry, dir.path())[0].detail, "expected 200000 bytes, found 10");
  fetch(entry, dir.path(), options);
  expect_complete();
}

TEST_F(Fetch, ArchiveWithAWrongMember) {
  entry.downloads[2].unpacked[0].sha256 = sha256_hex(b);
  EXPECT_THROW(fetch(entry, dir.path(), options), DataError);
  EXPECT_FALSE(file_exists(dir / "toy/in/member"));
  EXPECT_TRUE(file_exists(dir / "toy/c.tar.gz"));
  entry.downloads[2].unpacked[0].sha256 = sha256_hex(member);
  fetch(entry, dir.path(), options);
  expect_complete();
  EXPECT_EQ(server.requests().size(), 3u) << "an archive that is right was fetched again";
}

TEST_F(Fetch, ProgressGrowsAndCanCancel) {
  uint64_t last = 0;
  std::string file;
  options.progress = [&](const FetchProgress& p) {
    if (p.file != file) last = 0;
    file = p.file;
    EXPECT_GT(p.done, last);
    EXPECT_LE(p.done, p.total);
    last = p.done;
  };
  fetch(entry, dir.path(), options);
  EXPECT_EQ(file, "c.tar.gz");
  EXPECT_EQ(last, archive.size());
  std::filesystem::remove(dir / "toy/a.bin");
  options.progress = [](const FetchProgress&) { throw std::domain_error("stop"); };
  EXPECT_THROW(fetch(entry, dir.path(), options), std::domain_error);
}

TEST(Catalogue, EntriesAreSound) {
  ASSERT_EQ(catalogue().size(), 3u);
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_FALSE(entry.base_urls.empty());
    for (const CatalogueDownload& download : entry.downloads) {
      EXPECT_EQ(download.file.md5.size(), 32u) << download.file.name;
      EXPECT_EQ(download.file.sha256.size(), 64u) << download.file.name;
      for (const CatalogueFile& file : download.unpacked) EXPECT_EQ(file.sha256.size(), 64u) << file.name;
    }
  }
  EXPECT_THROW(catalogue_entry("glyphs"), UsageError);
}

TEST(Catalogue, RealFilesPass) {
  const char* dir = std::getenv("SPIKETRAIN_DATA");
  if (!dir) GTEST_SKIP() << "SPIKETRAIN_DATA is not set";
  for (const char* name : {"mnist", "fashion-mnist"}) {
    for (const FileStatus& status : data_check(name, dir)) {
      EXPECT_EQ(status.state, FileState::present) << status.path << ": " << status.detail;
    }
    for (const CatalogueDownload& download : catalogue_entry(name).downloads) {
      EXPECT_EQ(digest_file(std::string(dir) + "/" + name + "/" + download.file.name).md5, download.file.md5);
    }
  }
}

}  // namespace spiketrain::fetch_test
