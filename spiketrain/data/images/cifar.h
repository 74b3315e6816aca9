// CIFAR-10, binary version.
//   records of 1 label byte + 3072 pixel bytes (red, green, blue planes, row-major 32 x 32)
// Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.  Deviation: none.
// Tests: unit/cifar_test.cpp, unit/mutation_test.cpp, fuzz/fuzz_cifar.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/data/images/raw_images.h"

namespace spiketrain {

/// Appends the labels of whole records, of which the first begins at byte `offset` of `path`; DataError, with `labels`
/// unchanged, if malformed.
void parse_cifar10(ByteSpan records, const std::string& path, uint64_t offset, std::vector<uint8_t>& labels);

/// Opens data_batch_1..5.bin or test_batch.bin in <dir>/cifar10/cifar-10-batches-bin/, <dir>/cifar10/,
/// <dir>/cifar-10-batches-bin/ or <dir>/, whichever has the first of them.  The labels are read, the pixels stay in the
/// files.
RawImages read_cifar10(const std::string& dir, bool train);

}  // namespace spiketrain
