// The filters that pack the chunks of an HDF5 data set, undone: deflate, shuffle and LZF.  Version 1.10 of the library does not check that what a
// chunk unpacks to fills the chunk, and reads behind it.
//   shuffle of n elements of e bytes: first byte 0 of every element, then byte 1 of every element, ...; bytes left over follow as they are
// Source: the public description of the HDF5 format, version 3 (IV.A.2.l, filter pipeline).  Deviation: none.
// Tests: unit/hdf5_filters_test.cpp, fuzz/fuzz_nir.cpp.
#pragma once
#include <vector>

#include "spiketrain/base/file.h"

namespace spiketrain {

struct Hdf5Filter {
  enum class Kind { deflate, shuffle, lzf };
  Kind kind;
  size_t element = 1;  ///< bytes, of shuffle
};

/// The bytes of a chunk from what the file holds of it; `filters` in the order in which they packed it, of those filter i was left out where bit i
/// of `skipped` is set.  False unless it unpacks to exactly `size` bytes; no more than that is ever made.
bool unpack_hdf5_chunk(ByteSpan stored, const std::vector<Hdf5Filter>& filters, uint32_t skipped, size_t size,
                       Bytes& out);

}  // namespace spiketrain
