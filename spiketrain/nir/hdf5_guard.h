// What has to be right in an HDF5 file before libhdf5 may see it.  Version 1.10 of it reads collections of texts (global heaps) without
// checking the lengths of their objects: a damaged one makes it loop for ever, or read outside of its memory.
#pragma once
#include <string>

#include "spiketrain/base/file.h"

namespace spiketrain::nir {

/// DataError unless the file begins with HDF5's signature, has addresses and lengths of 8 bytes, and the objects of every global heap
/// fill it one after the other.
void check_hdf5(ByteSpan file, const std::string& path);

}  // namespace spiketrain::nir
