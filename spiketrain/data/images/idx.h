// The IDX format of MNIST and Fashion-MNIST.
//   00 00 | type (08 = u8) | number of dimensions | each dimension as big-endian u32 | values, row-major
// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".  Deviation: only u8 is read.
// Tests: unit/idx_test.cpp, unit/mutation_test.cpp, fuzz/fuzz_idx.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/data/images/raw_images.h"

namespace spiketrain {

struct IdxArray {
  std::vector<int64_t> shape;  ///< one to four dimensions
  ByteSpan values;             ///< points into the parsed bytes
};

/// DataError unless `bytes` is exactly one u8 array; `path` is only named in errors.
IdxArray parse_idx(ByteSpan bytes, const std::string& path);

/// Opens an image and a label file of one part; DataError also if they do not belong together.  The labels are read, the
/// pixels stay in the file; one that is packed is unpacked first, see open_gzip_or_plain().
RawImages read_idx_pair(const std::string& images_path, const std::string& labels_path);

/// Opens <dir>/<name>/{train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz.
RawImages read_idx_dataset(const std::string& name, const std::string& dir, bool train);

}  // namespace spiketrain
