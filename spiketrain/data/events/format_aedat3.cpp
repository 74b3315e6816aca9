// AEDAT 3.1: "#" lines up to #!END-HEADER, then packets, little-endian.
//   packet: type i16 | source i16 | bytes per event i32 | offset of the time i32 | overflow i32 | capacity
//   i32
//           | events i32 | valid events i32 | the events
//   polarity event (type 1): bit 0 valid | 1 polarity | 2-16 y | 17-31 x | time i32 in us, plus overflow <<
//   31
// Source: iniVation's description of AEDAT 3.1; (0, 0) is the upper left corner.
// The bit "valid" counts only in packets whose header says that not all events are valid: some writers leave
// it clear throughout.
#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_parsers.h"

namespace spiketrain {
namespace {

constexpr size_t kPacketHeader = 28;
constexpr uint32_t kPolarity = 1;
constexpr const char* kEnd = "#!END-HEADER";

struct Packet {
  uint32_t type, source;
  int32_t size, time_offset, overflow, capacity, number, valid;
};

Packet read_packet(ByteSpan bytes, size_t at, const std::string& path) {
  if (bytes.size - at < kPacketHeader) {
    throw DataError(path, at, str("expected a packet header of 28 bytes, found ", bytes.size - at));
  }
  const uint8_t* p = bytes.data + at;
  const auto i32 = [p](size_t offset) { return static_cast<int32_t>(le32(p + offset)); };
  const Packet packet{le16(p), le16(p + 2), i32(4), i32(8), i32(12), i32(16), i32(20), i32(24)};
  if (packet.size <= 0 || packet.overflow < 0 || packet.number < 0 || packet.capacity < packet.number ||
      packet.valid < 0 || packet.valid > packet.number) {
    throw DataError(
        path, at,
        str("bad packet header: ", packet.size, " bytes per event, overflow ", packet.overflow, ", capacity ",
            packet.capacity, ", ", packet.number, " events, ", packet.valid, " valid"));
  }
  const uint64_t body = static_cast<uint64_t>(packet.size) * static_cast<uint64_t>(packet.number);
  if (body > bytes.size - at - kPacketHeader) {
    throw DataError(path, at,
                    str("expected ", body, " bytes of events, found ", bytes.size - at - kPacketHeader));
  }
  if (packet.type == kPolarity && (packet.size != 8 || packet.time_offset != 4)) {
    throw DataError(path, at, str("expected polarity events of 8 bytes, found ", packet.size));
  }
  return packet;
}

void add_packet(EventStream& stream, ByteSpan bytes, size_t at, const Packet& packet,
                const std::string& path) {
  const int64_t base = int64_t{packet.overflow} << 31;
  for (int32_t i = 0; i < packet.number; ++i, at += 8) {
    const uint32_t data = le32(bytes.data + at), time = le32(bytes.data + at + 4);
    if (packet.valid != packet.number && !(data & 1)) continue;
    if (time >> 31) throw DataError(path, at + 4, "negative time");
    add_event(stream, base + time, data >> 17, data >> 2 & 0x7fff, data >> 1 & 1, at, path);
  }
}

/// The camera in the line "#Source N: NAME".
ChipSize source_size(const TextHeader& header, uint32_t source) {
  return chip_size(header.value(str("Source ", source, ":")));
}

}  // namespace

EventStream parse_aedat3(ByteSpan bytes, const std::string& path) {
  if (!starts_with(bytes, "#!AER-DAT3.1")) throw DataError(path, 0, "expected the line #!AER-DAT3.1");
  const TextHeader header = read_text_header(bytes, '#', kEnd, path);
  if (header.lines.empty() || header.lines.back() != kEnd)
    throw DataError(path, header.end, str("expected the line ", kEnd));
  const std::string format = header.value("Format:");
  if (format != "RAW") throw DataError(path, 0, str("expected the format RAW, found '", format, "'"));
  EventStream stream;
  int64_t source = -1;
  for (size_t at = header.end; at < bytes.size;) {
    const Packet packet = read_packet(bytes, at, path);
    const size_t body = at + kPacketHeader;
    if (packet.type == kPolarity) {
      if (source >= 0 && source != packet.source) {
        throw DataError(path, at,
                        str("expected events of one camera, found sources ", source, " and ", packet.source));
      }
      if (source < 0) {
        source = packet.source;
        const ChipSize size = source_size(header, packet.source);
        stream.width = size.width;
        stream.height = size.height;
      }
      add_packet(stream, bytes, body, packet, path);
    }
    at = body + static_cast<size_t>(packet.size) * static_cast<size_t>(packet.number);
  }
  return stream;
}

}  // namespace spiketrain
