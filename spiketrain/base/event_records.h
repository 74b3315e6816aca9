// Files of TensorBoard: records of protocol buffer messages, each with two checksums.
//   record  length (8 bytes, little-endian), masked CRC-32C of those, data, masked CRC-32C of data
//   mask    ((crc >> 15) | (crc << 17)) + 0xA282EAD8
// Source: TensorFlow's record_writer.cc and event.proto, summary.proto (field numbers).  Tests: unit/tensorboard_test.cpp.
#pragma once
#include <cstdint>
#include <string>

#include "spiketrain/base/protobuf.h"

namespace spiketrain {

/// CRC-32C (Castagnoli).
uint32_t crc32c(const std::string& data);
/// A record of a file.
std::string event_record(const std::string& data);

/// The first event of a file.
ProtoMessage version_event(double wall_time);
/// From here on what earlier files say of this step and later ones does not count.
ProtoMessage restart_event(double wall_time, int64_t step);
/// Of one value, a Summary.Value.
ProtoMessage summary_event(double wall_time, int64_t step, const ProtoMessage& value);

ProtoMessage scalar_value(const std::string& tag, double value);
/// counts[i] numbers lie between limits[i] and limits[i + 1].
struct Histogram {
  double least = 0, most = 0, sum = 0, sum_squares = 0;
  std::vector<double> limits, counts;
};
ProtoMessage histogram_value(const std::string& tag, const Histogram& histogram);
ProtoMessage image_value(const std::string& tag, int64_t width, int64_t height, const std::string& png);

}  // namespace spiketrain
