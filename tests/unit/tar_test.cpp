// Bounded tar reading.
#include "spiketrain/base/tar.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "spiketrain/base/check.h"
#include "tests/support/tar_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::tar_test {

std::map<std::string, Bytes> read(const Bytes& tar, const std::map<std::string, uint64_t>& wanted,
                                  uint64_t limit = 1 << 20) {
  size_t at = 0;
  const ByteSource source = [&](uint8_t* out, size_t n) {
    n = std::min(n, tar.size() - at);
    std::copy_n(tar.begin() + static_cast<int64_t>(at), n, out);
    at += n;
    return n;
  };
  std::map<std::string, Bytes> result;
  read_tar(source, wanted, limit, "mem", [&](const std::string& name, const Bytes& b) { result[name] = b; });
  return result;
}

Bytes sample(bool gnu = false) {
  Bytes tar;
  add_tar_member(tar, "d/", {}, '5', gnu);
  add_tar_member(tar, "d/readme", Bytes(700, 'r'), '0', gnu);
  add_tar_member(tar, "./d/a", Bytes(513, 'a'), '0', gnu);
  add_tar_member(tar, "d/empty", {}, '0', gnu);
  add_tar_member(tar, "d/b", Bytes(512, 'b'), '\0', gnu);
  end_tar(tar);
  return tar;
}

TEST(Tar, ReadsWantedMembers) {
  for (bool gnu : {false, true}) {
    const auto members = read(sample(gnu), {{"d/a", 513}, {"d/b", 512}, {"d/empty", 0}});
    ASSERT_EQ(members.size(), 3u);
    EXPECT_EQ(members.at("d/a"), Bytes(513, 'a'));
    EXPECT_EQ(members.at("d/b"), Bytes(512, 'b'));
  }
}

TEST(Tar, Gzip) {
  TempDir dir;
  const Bytes packed = gzip(sample());
  write_file_atomic(dir / "a.tar.gz", {packed});
  Bytes found;
  read_tar_gz(dir / "a.tar.gz", {{"d/a", 513}}, 1 << 20,
              [&](const std::string&, const Bytes& b) { found = b; });
  EXPECT_EQ(found, Bytes(513, 'a'));
  write_file_atomic(dir / "cut.tar.gz", {{packed.data(), packed.size() / 2}});
  EXPECT_THROW(read_tar_gz(dir / "cut.tar.gz", {}, 1 << 20, [](const std::string&, const Bytes&) {}),
               DataError);
  EXPECT_THROW(read_tar_gz(dir / "absent", {}, 1 << 20, [](const std::string&, const Bytes&) {}), DataError);
}

TEST(Tar, PrefixField) {
  Bytes tar;
  add_tar_member(tar, "name", {1, 2, 3});
  std::memcpy(tar.data() + 345, "far/away", 8);
  sign_tar_header(tar, 0);
  end_tar(tar);
  EXPECT_EQ(read(tar, {{"far/away/name", 3}}).size(), 1u);
}

TEST(Tar, RejectsMalformed) {
  const Bytes good = sample();
  const std::map<std::string, uint64_t> wanted = {{"d/a", 513}};
  for (size_t n = 0; n + 1024 < good.size(); n += 100) {
    EXPECT_THROW(read(Bytes(good.begin(), good.begin() + static_cast<int64_t>(n)), wanted), DataError) << n;
  }
  EXPECT_THROW(read(good, {{"d/a", 512}}), DataError);
  EXPECT_THROW(read(good, {{"d/absent", 1}}), DataError);
  EXPECT_THROW(read(good, wanted, 1024), DataError);
  Bytes bad = good;
  bad[0] ^= 1;  // the checksum no longer holds
  EXPECT_THROW(read(bad, wanted), DataError);
  bad = good;
  bad[257] = 'x';
  sign_tar_header(bad, 0);
  EXPECT_THROW(read(bad, wanted), DataError);
  bad = good;
  bad[124] = 0x80;  // a binary size, which ustar does not have
  sign_tar_header(bad, 0);
  EXPECT_THROW(read(bad, wanted), DataError);
  bad = good;
  std::memcpy(bad.data() + 124, "777777777777", 12);
  sign_tar_header(bad, 0);
  EXPECT_THROW(read(bad, wanted), DataError);
  bad.clear();
  add_tar_member(bad, "d/a", Bytes(513, 'a'));
  add_tar_member(bad, "d/a", Bytes(513, 'a'));
  end_tar(bad);
  EXPECT_THROW(read(bad, wanted), DataError);
}

}  // namespace spiketrain::tar_test
