// NIR files: HDF5, as the reference package writes them.
//   /version   text;  /node  the root graph:  type, edges [E,2] of text, nodes/<name>/..., metadata/...
// Texts of variable or fixed length, numbers of at most 8 bytes, contiguous or in chunks (deflate, shuffle, LZF), any version of the
// superblock, no user block.  Attributes are ignored: the format has none.  Any version of the format; unknown types and fields are refused; metadata
// that are neither numbers nor texts are left aside (NirGraph::unread).  All data sets together: at most 2^28 numbers.
// Written: arrays of their own types, those with sides in chunks with deflate, texts of variable length, and nothing else, so that equal graphs give
// equal bytes.
// Deviation: none.  Tests: unit/nir_file_test.cpp, unit/nir_hdf5_test.cpp, golden/nir_test.cpp.
#pragma once
#include <string>

#include "spiketrain/base/file.h"
#include "spiketrain/nir/graph.h"

namespace spiketrain {

/// The graph in a file, checked as check_nir() does.  DataError, with the file and the node, if it is missing, damaged or no such
/// graph.
NirGraph read_nir(const std::string& path);
/// The same from a file in memory, without the check.
NirGraph parse_nir(ByteSpan file, const std::string& path);

/// Writes a graph, atomically.  UsageError as check_nir(); DataError if the file cannot be written.
void write_nir(const std::string& path, const NirGraph& graph);

}  // namespace spiketrain
