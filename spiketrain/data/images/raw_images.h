// Images as the readers return them: labels in memory, pixels in memory or in files.
// Tests: unit/large_data_test.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace spiketrain {

class InputFile;  // base/input_file.h

/// The pixels of `count` samples, each sample's in one piece, sample i from byte first + i * stride on.
struct PixelFile {
  std::shared_ptr<const InputFile> file;
  uint64_t first = 0, stride = 0;
  int64_t count = 0;
};

/// All samples of one official part.
struct RawImages {
  int64_t channels = 1, height = 0, width = 0, classes = 10;
  std::vector<uint8_t> pixels;                ///< [N,C,H,W], 0 to 255; empty if they are in `files`
  std::vector<uint8_t> labels;                ///< [N], below `classes`
  std::vector<std::string> class_names = {};  ///< empty: the classes have no names
  std::vector<PixelFile> files = {};          ///< one after the other; read when a sample is wanted
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t sample_bytes() const { return channels * height * width; }

  /// Writes the pixels of sample `index`, out[C,H,W].  Callable from many threads.  UsageError: index out of range, or
  /// fewer pixels than labels.  DataError as InputFile::read().
  void read(int64_t index, uint8_t* out) const;
  /// A hint that sample `index` is read soon.  UsageError as read() if there are files.
  void will_read(int64_t index) const;
};

}  // namespace spiketrain
