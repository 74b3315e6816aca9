// Images as the parsers return them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spiketrain {

/// All samples of one official part.
struct RawImages {
  int64_t channels = 1, height = 0, width = 0, classes = 10;
  std::vector<uint8_t> pixels;                ///< [N,C,H,W], 0 to 255
  std::vector<uint8_t> labels;                ///< [N], below `classes`
  std::vector<std::string> class_names = {};  ///< empty: the classes have no names
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t sample_bytes() const { return channels * height * width; }
};

}  // namespace spiketrain
