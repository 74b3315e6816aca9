// SHA-256 and MD5, by OpenSSL.  MD5 only because data sets publish it; nothing here guards against an
// attacker. Tests: unit/hash_test.cpp (published vectors).
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/file.h"

namespace spiketrain {

/// Lower-case hex digest of bytes.
std::string sha256_hex(ByteSpan bytes);
/// Of parts one after the other.
std::string sha256_hex_of_parts(const std::vector<ByteSpan>& parts);
std::string md5_hex(ByteSpan bytes);

/// Both digests of one file, read once in small pieces; DataError if it cannot be read.
struct FileDigest {
  std::string sha256, md5;
};
FileDigest digest_file(const std::string& path);

}  // namespace spiketrain
