// Builds IDX bytes for tests.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/file.h"

namespace spiketrain {

/// An IDX file of u8 with the given dimensions, whatever `values` holds.
inline Bytes make_idx(const std::vector<uint32_t>& dims, const Bytes& values, uint8_t type = 8) {
  Bytes file = {0, 0, type, static_cast<uint8_t>(dims.size())};
  for (uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<uint8_t>(dim >> shift));
  }
  file.insert(file.end(), values.begin(), values.end());
  return file;
}

/// Writes both files of one part below <dir>/<name>/; pixels of image i count up from i.
inline void write_idx_part(const std::string& dir, const std::string& part, const Bytes& labels,
                           uint32_t side = 28) {
  Bytes pixels(labels.size() * side * side);
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<uint8_t>(i / (side * side) + i % (side * side));
  const auto count = static_cast<uint32_t>(labels.size());
  const Bytes images = make_idx({count, side, side}, pixels), label_file = make_idx({count}, labels);
  write_file_atomic(dir + "/" + part + "-images-idx3-ubyte", {images});
  write_file_atomic(dir + "/" + part + "-labels-idx1-ubyte", {label_file});
}

}  // namespace spiketrain
