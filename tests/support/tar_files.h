// Builds tar and gzip bytes for tests.
#pragma once
#include <zlib.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "spiketrain/base/file.h"

namespace spiketrain {

/// Puts the right checksum into the header at `at`.
inline void sign_tar_header(Bytes& tar, size_t at) {
  std::memset(tar.data() + at + 148, ' ', 8);
  unsigned sum = 0;
  for (size_t i = 0; i < 512; ++i) sum += tar[at + i];
  std::snprintf(reinterpret_cast<char*>(tar.data() + at + 148), 8, "%06o", sum);
}

/// Appends one member; `gnu` marks the archive as GNU tar does.
inline void add_tar_member(Bytes& tar, const std::string& name, const Bytes& bytes, char type = '0',
                           bool gnu = false) {
  const size_t at = tar.size();
  tar.resize(at + 512);
  std::memcpy(tar.data() + at, name.data(), name.size());
  std::snprintf(reinterpret_cast<char*>(tar.data() + at + 124), 12, "%011o",
                static_cast<unsigned>(bytes.size()));
  tar[at + 156] = static_cast<uint8_t>(type);
  std::memcpy(tar.data() + at + 257, gnu ? "ustar  \0" : "ustar\00000", 8);
  sign_tar_header(tar, at);
  tar.insert(tar.end(), bytes.begin(), bytes.end());
  tar.resize((tar.size() + 511) / 512 * 512);
}

inline void end_tar(Bytes& tar) { tar.resize(tar.size() + 1024); }

inline Bytes gzip(const Bytes& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes packed(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<unsigned>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<unsigned>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace spiketrain
