// LZF, the compression that h5py's "lzf" filter uses.  Decompression only.
//   control byte c < 32: the next c + 1 bytes as they are;
//   else a copy of length (c >> 5) + 2, from ((c & 31) << 8) + next byte + 1 bytes back; if c >> 5 is 7, a byte that is added to the length
//   comes before that next byte
// Source: the format's public description.  Deviation: none.  Tests: unit/hdf5_filters_test.cpp, fuzz/fuzz_nir.cpp.
#pragma once
#include "spiketrain/base/file.h"

namespace spiketrain {

/// The unpacked bytes; false if the input is damaged or unpacks to more than `most`.
bool unpack_lzf(ByteSpan packed, size_t most, Bytes& out);

}  // namespace spiketrain
