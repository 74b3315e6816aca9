// Reading files out of a .tar.gz, bounded.
//   512-byte header: name[100] at 0, octal size[12] at 124, octal checksum[8] at 148, type at 156, "ustar" at
//   257, prefix[155] at 345; then the bytes, padded to 512; a zero header ends the archive.
// Source: POSIX.1-1988 (ustar).  Deviation: members other than regular files are skipped, and so are the
// long-name records of GNU and pax, since no wanted member has a name of more than 100 characters. Tests:
// unit/tar_test.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "spiketrain/base/file.h"

namespace spiketrain {

/// Fills buffer[n] as far as there are bytes and returns how many there were.
using ByteSource = std::function<size_t(uint8_t* buffer, size_t n)>;
/// Receives one wanted member.
using TarSink = std::function<void(const std::string& name, const Bytes& bytes)>;

/// Passes each member named in `wanted` (name to exact size) to `sink`, in archive order.  DataError:
/// malformed archive, a wanted member of another size, twice or absent, or more than max_total bytes of
/// archive.
void read_tar(const ByteSource& source, const std::map<std::string, uint64_t>& wanted, uint64_t max_total,
              const std::string& path, const TarSink& sink);

/// The same for a gzip-packed (or plain) archive file.
void read_tar_gz(const std::string& path, const std::map<std::string, uint64_t>& wanted, uint64_t max_total,
                 const TarSink& sink);

}  // namespace spiketrain
