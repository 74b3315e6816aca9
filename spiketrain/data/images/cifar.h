// CIFAR-10, binary version.
//   records of 1 label byte + 3072 pixel bytes (red, green, blue planes, row-major 32 x 32)
// Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.  Deviation: none.
// Tests: unit/cifar_test.cpp, unit/mutation_test.cpp, fuzz/fuzz_cifar.cpp.
#pragma once
#include <string>

#include "spiketrain/base/file.h"
#include "spiketrain/data/images/raw_images.h"

namespace spiketrain {

/// Appends the records of one batch file to `out` (3 x 32 x 32); DataError, with `out` unchanged, if
/// malformed.
void parse_cifar10(ByteSpan bytes, const std::string& path, RawImages& out);

/// Reads data_batch_1..5.bin or test_batch.bin from <dir>/cifar10/cifar-10-batches-bin/, <dir>/cifar10/,
/// <dir>/cifar-10-batches-bin/ or <dir>/, whichever has the first of them.
RawImages read_cifar10(const std::string& dir, bool train);

}  // namespace spiketrain
