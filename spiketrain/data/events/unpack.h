// Unpacks one frame of LZ4 or zstd, bounded.
// Tests: unit/event_format_test.cpp, fuzz/fuzz_events.cpp.
#pragma once
#include <string>

#include "spiketrain/base/file.h"

namespace spiketrain {

/// The content of the frames that `packed` consists of; memory grows with what comes out, at most max_bytes.
/// DataError at `offset` if it is damaged, incomplete or larger.
Bytes unpack_lz4(ByteSpan packed, uint64_t max_bytes, size_t offset, const std::string& path);
Bytes unpack_zstd(ByteSpan packed, uint64_t max_bytes, size_t offset, const std::string& path);

}  // namespace spiketrain
