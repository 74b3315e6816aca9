// What of an HDF5 file is read here and not by libhdf5: texts of variable length, which lie in collections (global heaps).  Version 1.10 of the library
// believes the lengths and numbers in them: a damaged one makes it loop for ever, or read outside of its memory.
// Deviation: none.  Tests: unit/nir_file_test.cpp, fuzz/fuzz_nir.cpp.
#pragma once
#include <string>

#include "spiketrain/base/file.h"

namespace spiketrain::nir {

/// Bytes of a reference to a text.
constexpr size_t kTextReference = 16;

/// DataError unless the file begins with HDF5's signature and has addresses and lengths of 8 bytes.
void check_hdf5(ByteSpan file, const std::string& path);

/// The text that the reference at byte `at` of `references` leads to: bytes of the file, or unpacked from it.  DataError if it leads nowhere.
std::string heap_text(ByteSpan file, ByteSpan references, uint64_t at, const std::string& path);

}  // namespace spiketrain::nir
