// Event Stream: "Event Stream" | version 3 bytes | type | width u16 | height u16, little-endian, then bytes.
//   DVS   1111 1111: 127 us pass | 1111 1110: reset | else time 7, polarity 1; x u16; y u16
//   ATIS  1111 11nn: n * 63 us pass (0: reset) | else time 6, polarity 1, exposure 1; x u16; y u16
// Times are increments in us.  Source: the Event Stream specification, version 2.0.
// The specification does not say which corner (0, 0) is: coordinates are passed on as they are.
#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_parsers.h"

namespace spiketrain {
namespace {

constexpr size_t kHeader = 20;
constexpr uint8_t kAtis = 2;  // DVS is 1

void check_header(ByteSpan bytes, const std::string& path) {
  if (!starts_with(bytes, "Event Stream")) throw DataError(path, 0, "expected the words Event Stream");
  if (bytes.size < 16) throw DataError(path, bytes.size, "expected a header of 16 bytes");
  const int major = bytes.data[12], type = bytes.data[15];
  if (major != 2) throw DataError(path, 12, str("expected version 2 of Event Stream, found ", major));
  if (type == 0) throw DataError(path, 15, "generic events have no pixels; expected events of a DVS or ATIS");
  if (type > kAtis)
    throw DataError(path, 15, str("expected events of a DVS (1) or ATIS (2), found type ", type));
  if (bytes.size < kHeader) throw DataError(path, bytes.size, "expected the width and height of the sensor");
}

}  // namespace

EventStream parse_es(ByteSpan bytes, const std::string& path) {
  check_header(bytes, path);
  const bool atis = bytes.data[15] == kAtis;
  EventStream stream;
  stream.width = le16(bytes.data + 16);
  stream.height = le16(bytes.data + 18);
  if (stream.width == 0 || stream.height == 0) throw DataError(path, 16, "the sensor has no pixels");
  stream.events.reserve((bytes.size - kHeader) / 5);
  int64_t t = 0;
  for (size_t at = kHeader; at < bytes.size;) {
    const uint8_t first = bytes.data[at];
    if (atis ? first >= 0xfc : first >= 0xfe) {  // time passes, or nothing in a reset
      t += atis ? (first & 3) * 63 : (first & 1) * 127;
      ++at;
      continue;
    }
    if (bytes.size - at < 5)
      throw DataError(path, at, str("expected an event of 5 bytes, found ", bytes.size - at));
    t += atis ? first >> 2 : first >> 1;
    const bool exposure = atis && (first & 1);
    const bool on = atis ? first >> 1 & 1 : first & 1;
    if (!exposure) add_event(stream, t, le16(bytes.data + at + 1), le16(bytes.data + at + 3), on, at, path);
    at += 5;
  }
  return stream;
}

}  // namespace spiketrain
