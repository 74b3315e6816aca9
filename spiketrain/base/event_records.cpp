#include "spiketrain/base/event_records.h"

#include <array>

namespace spiketrain {
namespace {

std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}

std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

std::string checksum(const std::string& data) {
  const uint32_t crc = crc32c(data);
  return little_endian((crc >> 15 | crc << 17) + 0xA282EAD8U, 4);
}

ProtoMessage event(double wall_time) { return ProtoMessage().number(1, wall_time); }

}  // namespace

uint32_t crc32c(const std::string& data) {
  static const std::array<uint32_t, 256> table = make_table();
  uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : data) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  return ~crc;
}

std::string event_record(const std::string& data) {
  const std::string length = little_endian(data.size(), 8);
  return length + checksum(length) + data + checksum(data);
}

ProtoMessage version_event(double wall_time) { return event(wall_time).bytes(3, "brain.Event:2"); }

ProtoMessage restart_event(double wall_time, int64_t step) {
  constexpr uint64_t kStart = 1;
  return event(wall_time)
      .integer(2, static_cast<uint64_t>(step))
      .message(7, ProtoMessage().integer(1, kStart));
}

ProtoMessage summary_event(double wall_time, int64_t step, const ProtoMessage& value) {
  return event(wall_time)
      .integer(2, static_cast<uint64_t>(step))
      .message(5, ProtoMessage().message(1, value));
}

ProtoMessage scalar_value(const std::string& tag, double value) {
  return ProtoMessage().bytes(1, tag).number32(2, static_cast<float>(value));
}

ProtoMessage histogram_value(const std::string& tag, const Histogram& h) {
  double count = 0;
  for (const double c : h.counts) count += c;
  ProtoMessage histo;
  histo.number(1, h.least).number(2, h.most).number(3, count).number(4, h.sum).number(5, h.sum_squares);
  // Only right limits are stored: an empty bucket gives the first one its left.
  std::vector<double> counts = {0};
  counts.insert(counts.end(), h.counts.begin(), h.counts.end());
  histo.numbers(6, h.limits).numbers(7, counts);
  return ProtoMessage().bytes(1, tag).message(5, histo);
}

ProtoMessage image_value(const std::string& tag, int64_t width, int64_t height, const std::string& png) {
  constexpr uint64_t kGrey = 1;
  ProtoMessage image;
  image.integer(1, static_cast<uint64_t>(height))
      .integer(2, static_cast<uint64_t>(width))
      .integer(3, kGrey)
      .bytes(4, png);
  return ProtoMessage().bytes(1, tag).message(4, image);
}

}  // namespace spiketrain
