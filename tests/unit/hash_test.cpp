// SHA-256 and MD5 against the vectors of FIPS 180-2 and RFC 1321.
#include <gtest/gtest.h>

#include "spiketrain/base/check.h"
#include "spiketrain/base/sha256.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::hash_test {

ByteSpan text(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }

TEST(Hash, PublishedVectors) {
  EXPECT_EQ(sha256_hex(text("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(md5_hex(text("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(md5_hex({}), "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(Hash, FileEqualsMemory) {
  TempDir dir;
  Bytes bytes(300001);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  write_file_atomic(dir / "f", {bytes});
  const FileDigest digest = digest_file(dir / "f");
  EXPECT_EQ(digest.sha256, sha256_hex(bytes));
  EXPECT_EQ(digest.md5, md5_hex(bytes));
  EXPECT_THROW(digest_file(dir / "absent"), DataError);
  EXPECT_THROW(digest_file(dir.path()), DataError);
}

}  // namespace spiketrain::hash_test
