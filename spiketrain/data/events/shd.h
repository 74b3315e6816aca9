// Spiking Heidelberg Digits and Spiking Speech Commands: HDF5 files of many recordings.
//   spikes/times  one vector of seconds per recording, floats of any width
//   spikes/units  one vector of channels, 0 to 699      labels  one class per recording
// Source: Cramer et al. 2022, "The Heidelberg spiking data sets for the systematic evaluation of spiking
// neural networks", and the data sets' pages. Tests: unit/event_shd_test.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

class ShdFile {
 public:
  static constexpr int64_t kChannels = 700;

  /// Opens the file and reads the labels.  DataError if it is missing, no HDF5 or has other contents.
  explicit ShdFile(const std::string& path);
  ~ShdFile();
  ShdFile(ShdFile&&) noexcept;
  ShdFile& operator=(ShdFile&&) noexcept;

  int64_t size() const { return static_cast<int64_t>(labels_.size()); }
  /// UsageError unless 0 <= index < size().
  int64_t label(int64_t index) const;
  /// Reads recording `index`: x is the channel, y 0, polarity 1; kChannels x 1, in the order of the file.
  /// Callable from many threads (they take turns: the HDF5 library is not made for several).
  EventStream events(int64_t index) const;

 private:
  struct Handles;

  std::string path_;
  std::unique_ptr<Handles> handles_;
  std::vector<int64_t> labels_;
};

}  // namespace spiketrain
