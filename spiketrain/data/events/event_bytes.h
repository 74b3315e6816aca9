// What the readers of event files share: bytes, text headers, wrapping clocks, sensor sizes, bounds checks.
// Tests: unit/event_format_test.cpp, unit/event_file_test.cpp.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

inline uint32_t le16(const uint8_t* p) { return p[0] | uint32_t{p[1]} << 8; }
inline uint32_t le32(const uint8_t* p) { return le16(p) | le16(p + 2) << 16; }
inline uint32_t be32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

bool starts_with(ByteSpan bytes, const std::string& text);

/// Lines of printable text in front of the data.
struct TextHeader {
  std::vector<std::string> lines;  ///< without the mark's line ends
  size_t end = 0;                  ///< first byte behind it

  /// What follows "key" (with its colon or blank) and blanks in the first line that holds it after the mark;
  /// empty if there is none.
  std::string value(const std::string& key) const;
};

/// Reads the lines at the start of `bytes` that begin with `mark` and hold no control character (a record of
/// data may begin with the same byte, but is not printable), up to and including a line equal to `last`.
/// DataError if the file ends within a line.
TextHeader read_text_header(ByteSpan bytes, char mark, const std::string& last, const std::string& path);

/// Counts on a clock of `bits` bits over its end.  Steps of less than half its range may go either way.
class TimeUnwrap {
 public:
  explicit TimeUnwrap(int bits) : range_(int64_t{1} << bits) {}
  int64_t operator()(int64_t raw) {
    if (last_ - raw > range_ / 2) {
      base_ += range_;
    } else if (raw - last_ > range_ / 2 && base_ > 0) {
      base_ -= range_;
    }
    last_ = raw;
    return base_ + raw;
  }

 private:
  int64_t range_, base_ = 0, last_ = 0;
};

struct ChipSize {
  int64_t width = 0, height = 0;
};

/// Size of a camera or chip by the start of its name, in any case: dvs128, davis240c, ...; 0 x 0 if not
/// known.
ChipSize chip_size(const std::string& name);

/// DataError unless the rest of the file behind `begin` is whole records.
void check_records(ByteSpan bytes, size_t begin, size_t record, const std::string& path);

[[noreturn]] void throw_outside(const EventStream& stream, int64_t x, int64_t y, size_t offset,
                                const std::string& path);

/// Largest time of an event, microseconds (285 years): sums and differences of times stay within int64.
constexpr int64_t kMaxTime = int64_t{1} << 53;

/// Appends an event; DataError if its time is beyond kMaxTime, or if the sensor's size is known and the pixel
/// is outside.
inline void add_event(EventStream& stream, int64_t t_us, int64_t x, int64_t y, bool on, size_t offset,
                      const std::string& path) {
  if (stream.width > 0 && (static_cast<uint64_t>(x) >= static_cast<uint64_t>(stream.width) ||
                           static_cast<uint64_t>(y) >= static_cast<uint64_t>(stream.height))) {
    throw_outside(stream, x, y, offset, path);
  }
  if (t_us > kMaxTime || t_us < -kMaxTime)
    throw DataError(path, offset, str("expected a time of at most ", kMaxTime, " us, found ", t_us));
  stream.events.push_back(
      {t_us, static_cast<uint16_t>(x), static_cast<uint16_t>(y), static_cast<uint8_t>(on ? 1 : 0)});
}

}  // namespace spiketrain
