// gzip files, unpacked in pieces.  A gzip cannot be read from the middle on, so what is read in any order is unpacked
// once, into a file without a name.
// Tests: unit/file_test.cpp, unit/input_file_test.cpp.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "spiketrain/base/input_file.h"

namespace spiketrain {

/// Whether the file begins as a gzip does.
bool is_gzip(const InputFile& file);

/// Hands out what `packed` unpacks to in pieces of up to a MiB.  DataError as read_gzip_or_plain().
void gunzip(const InputFile& packed, uint64_t max_bytes, const SizeInHeader& size_in_header,
            const std::function<void(ByteSpan)>& take);

/// The file itself, or what it unpacks to if it is a gzip, for reading in any order.  DataError as read_gzip_or_plain();
/// a plain file may have any size.  SystemError as ScratchFile.
std::shared_ptr<const InputFile> open_gzip_or_plain(const std::string& path, uint64_t max_bytes,
                                                    const SizeInHeader& size_in_header);

}  // namespace spiketrain
