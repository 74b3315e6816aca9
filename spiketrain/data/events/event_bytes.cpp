// Text headers, sensor sizes and checks for event files; see event_bytes.h.
#include "spiketrain/data/events/event_bytes.h"

#include <algorithm>
#include <array>

namespace spiketrain {
namespace {

struct KnownSensor {
  const char* prefix;
  ChipSize size;
};

/// Sizes as their makers state them.  A longer prefix comes before a shorter one.
constexpr std::array<KnownSensor, 10> kSensors = {{{"dvs128", {128, 128}},
                                                   {"davis128", {128, 128}},
                                                   {"davis208", {208, 192}},
                                                   {"davis240", {240, 180}},
                                                   {"davis346", {346, 260}},
                                                   {"davis640", {640, 480}},
                                                   {"dvxplorerlite", {320, 240}},
                                                   {"dvxplorer", {640, 480}},
                                                   {"dvs132s", {132, 104}},
                                                   {"edvs", {128, 128}}}};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

}  // namespace

bool starts_with(ByteSpan bytes, const std::string& text) {
  return bytes.size >= text.size() && std::memcmp(bytes.data, text.data(), text.size()) == 0;
}

std::string TextHeader::value(const std::string& key) const {
  for (const std::string& line : lines) {
    size_t at = std::min(line.find_first_not_of(" \t", 1), line.size());
    if (line.compare(at, key.size(), key) != 0) continue;
    at = std::min(line.find_first_not_of(" \t", at + key.size()), line.size());
    const size_t end = line.find_last_not_of(" \t");
    return at > end || end == std::string::npos ? "" : line.substr(at, end + 1 - at);
  }
  return "";
}

TextHeader read_text_header(ByteSpan bytes, char mark, const std::string& last, const std::string& path) {
  TextHeader header;
  while (header.end < bytes.size && bytes.data[header.end] == static_cast<uint8_t>(mark)) {
    size_t stop = header.end;
    while (stop < bytes.size && (bytes.data[stop] >= 32 || bytes.data[stop] == '\t')) ++stop;
    if (stop < bytes.size && bytes.data[stop] == '\r') ++stop;
    if (stop == bytes.size)
      throw DataError(path, header.end, "expected the end of a header line, found the end of the file");
    if (bytes.data[stop] != '\n') break;  // data
    std::string line(bytes.data + header.end, bytes.data + stop);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    header.end = stop + 1;
    header.lines.push_back(line);
    if (line == last) break;
  }
  return header;
}

ChipSize chip_size(const std::string& name) {
  const std::string wanted = lower(name);
  for (const KnownSensor& sensor : kSensors) {
    if (wanted.rfind(sensor.prefix, 0) == 0) return sensor.size;
  }
  return {};
}

void check_records(ByteSpan bytes, size_t begin, size_t record, const std::string& path) {
  const size_t rest = (bytes.size - begin) % record;
  if (rest != 0) {
    throw DataError(
        path, bytes.size - rest,
        str("expected a record of ", record, " bytes, found ", rest, ", then the end of the file"));
  }
}

void throw_outside(const EventStream& stream, int64_t x, int64_t y, size_t offset, const std::string& path) {
  throw DataError(
      path, offset,
      str("expected a pixel inside ", stream.width, " x ", stream.height, ", found (", x, ", ", y, ")"));
}

}  // namespace spiketrain
