// AEDAT 4: "#!AER-DAT4.0\r\n", then FlatBuffers with a length u32 in front, little-endian.
//   header "IOHE":  compression i32 (0 none, 1, 2 LZ4, 3, 4 zstd) | position of the data table i64, -1 none
//                   | streams as XML
//   packets:        stream i32 | bytes i32 | the bytes, one compressed frame; up to the table or the end
//   data table:     as the bytes of a packet, with nothing behind it
//   packet "EVTS":  vector of {time i64 in us, x i16, y i16, polarity u8, padding}
// Source: iniVation's description of AEDAT 4.0 and its FlatBuffers schemas.  The tables are declared here by
// hand: three fields and one need no generated code.
// A packet may unpack to 256 times its size (the most that LZ4 can reach) plus 4 KiB; more is refused.
#include <flatbuffers/flatbuffers.h>

#include <map>

#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_parsers.h"
#include "spiketrain/data/events/unpack.h"

namespace spiketrain {
namespace {

constexpr const char* kMagic = "#!AER-DAT4.0\r\n";
constexpr size_t kMagicSize = 14;
constexpr uint64_t kMaxRatio = 256, kMaxExtra = 4096;

struct IoHeader : flatbuffers::Table {
  enum : flatbuffers::voffset_t { kCompression = 4, kTable = 6, kInfo = 8 };
  bool Verify(flatbuffers::Verifier& verifier) const {
    return VerifyTableStart(verifier) && VerifyField<int32_t>(verifier, kCompression, 4) &&
           VerifyField<int64_t>(verifier, kTable, 8) && VerifyOffset(verifier, kInfo) &&
           verifier.VerifyString(GetPointer<const flatbuffers::String*>(kInfo)) && verifier.EndTable();
  }
};

FLATBUFFERS_MANUALLY_ALIGNED_STRUCT(8) FileEvent {
  int64_t t_us;
  int16_t x, y;
  uint8_t polarity, padding[3];
};
FLATBUFFERS_STRUCT_END(FileEvent, 16);

struct EventPacket : flatbuffers::Table {
  using Events = flatbuffers::Vector<const FileEvent*>;
  const Events* events() const { return GetPointer<const Events*>(4); }
  bool Verify(flatbuffers::Verifier& verifier) const {
    return VerifyTableStart(verifier) && VerifyOffset(verifier, 4) && verifier.VerifyVector(events()) &&
           verifier.EndTable();
  }
};

/// The root of a FlatBuffer with its length in front; nullptr if it is damaged or another type.
template <class T>
const T* root(const Bytes& buffer, const char* identifier) {
  if (buffer.size() < 12) return nullptr;  // shorter than length, root and identifier
  flatbuffers::Verifier verifier(buffer.data(), buffer.size());
  if (le32(buffer.data()) > buffer.size() - 4) return nullptr;
  if (!verifier.VerifySizePrefixedBuffer<T>(identifier)) return nullptr;
  return flatbuffers::GetSizePrefixedRoot<T>(buffer.data());
}

/// What the XML says about one stream.
struct StreamInfo {
  std::string type;
  ChipSize size;
};

std::string quoted(const std::string& tag, const std::string& key) {
  const size_t begin = tag.find(key + "=\"");
  if (begin == std::string::npos) return "";
  const size_t from = begin + key.size() + 2;
  return tag.substr(from, std::min(tag.find('"', from), tag.size()) - from);
}

int64_t small_number(const std::string& text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string::npos) return 0;
  return std::stol(text);
}

/// Streams by id: nodes outInfo/ID with the attribute typeIdentifier, outInfo/ID/info with sizeX and sizeY.
std::map<int64_t, StreamInfo> read_streams(const std::string& xml) {
  std::map<int64_t, StreamInfo> streams;
  std::vector<std::string> nodes;
  for (size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at)) {
    const size_t end = xml.find('>', at);
    if (end == std::string::npos) break;
    const std::string tag = xml.substr(at, end - at);
    at = end;
    if (tag.rfind("</node", 0) == 0 && !nodes.empty()) nodes.pop_back();
    if (tag.rfind("<node ", 0) == 0 && tag.back() != '/') nodes.push_back(quoted(tag, "name"));
    const bool info = nodes.size() == 3 && nodes[2] == "info";
    if (tag.rfind("<attr ", 0) != 0 || (nodes.size() != 2 && !info) || nodes[0] != "outInfo") continue;
    const std::string& id = nodes[1];
    if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) continue;
    StreamInfo& stream = streams[std::stol(id)];
    const std::string key = quoted(tag, "key");
    const std::string value = xml.substr(end + 1, std::min(xml.find('<', end), xml.size()) - end - 1);
    if (!info && key == "typeIdentifier") stream.type = value;
    if (info && key == "sizeX") stream.size.width = small_number(value);
    if (info && key == "sizeY") stream.size.height = small_number(value);
  }
  return streams;
}

struct Container {
  int32_t compression = 0;
  int64_t events_id = -1;
  size_t begin = 0, end = 0;  ///< of the packets
  bool table = false;         ///< a data table follows them
  ChipSize size;
};

/// The one stream of events.
void choose_stream(Container& container, const std::map<int64_t, StreamInfo>& streams,
                   const std::string& path) {
  for (const auto& [id, stream] : streams) {
    if (stream.type != "EVTS") continue;
    if (container.events_id >= 0) {
      throw DataError(path, kMagicSize,
                      str("expected one stream of events, found streams ", container.events_id, " and ", id));
    }
    container.events_id = id;
    if (stream.size.width > 0 && stream.size.height > 0) container.size = stream.size;
  }
  if (container.events_id < 0) throw DataError(path, kMagicSize, "the header names no stream of events");
}

Container read_header(ByteSpan bytes, const std::string& path) {
  if (!starts_with(bytes, kMagic)) throw DataError(path, 0, "expected the line #!AER-DAT4.0");
  if (bytes.size < kMagicSize + 4) throw DataError(path, bytes.size, "expected the length of the header");
  const uint64_t length = uint64_t{le32(bytes.data + kMagicSize)} + 4;
  if (length > bytes.size - kMagicSize) {
    throw DataError(path, kMagicSize,
                    str("expected a header of ", length, " bytes, found ", bytes.size - kMagicSize));
  }
  const Bytes buffer(bytes.data + kMagicSize, bytes.data + kMagicSize + length);
  const auto* header = root<IoHeader>(buffer, "IOHE");
  if (!header) throw DataError(path, kMagicSize, "the header is not a valid FlatBuffer IOHE");
  Container container;
  container.compression = header->GetField<int32_t>(IoHeader::kCompression, 0);
  if (container.compression < 0 || container.compression > 4) {
    throw DataError(path, kMagicSize, str("expected compression 0 to 4, found ", container.compression));
  }
  container.begin = kMagicSize + length;
  container.end = bytes.size;
  const int64_t table = header->GetField<int64_t>(IoHeader::kTable, -1);
  if (table >= 0) {
    if (static_cast<uint64_t>(table) < container.begin || static_cast<uint64_t>(table) > bytes.size) {
      throw DataError(path, kMagicSize, str("the data table's position ", table, " is outside the packets"));
    }
    container.end = static_cast<size_t>(table);
    container.table = true;
  }
  const auto* info = header->GetPointer<const flatbuffers::String*>(IoHeader::kInfo);
  choose_stream(container, read_streams(info ? info->str() : ""), path);
  return container;
}

Bytes unpack(const Container& container, ByteSpan body, size_t at, const std::string& path) {
  const uint64_t limit = body.size * kMaxRatio + kMaxExtra;
  if (container.compression == 0) return Bytes(body.data, body.data + body.size);
  return container.compression <= 2 ? unpack_lz4(body, limit, at, path) : unpack_zstd(body, limit, at, path);
}

/// The data table is the last thing in a file: if it ends where the file ends, nothing is cut off.
void check_table(const Container& container, ByteSpan bytes, const std::string& path) {
  const size_t at = container.end;
  const auto refuse = [&](const std::string& why) {
    throw DataError(path, at, "expected a data table up to the end of the file: " + why);
  };
  if (at == bytes.size) refuse("the file ends before it");
  Bytes table;
  try {
    table = unpack(container, {bytes.data + at, bytes.size - at}, at, path);
  } catch (const DataError&) {
    refuse("it is cut off or damaged");
  }
  if (table.size() < 4) refuse("its length is cut off");
  const uint64_t length = uint64_t{le32(table.data())} + 4;
  if (length != table.size()) refuse(str("it has ", length, " bytes, found ", table.size()));
}

void add_packet(EventStream& stream, const Container& container, ByteSpan body, size_t at,
                const std::string& path) {
  const Bytes buffer = unpack(container, body, at, path);
  const auto* packet = root<EventPacket>(buffer, "EVTS");
  if (!packet) throw DataError(path, at, "the packet is not a valid FlatBuffer EVTS");
  if (!packet->events()) return;
  const uint8_t* data = packet->events()->Data();
  const size_t count = packet->events()->size();
  for (size_t i = 0; i < count; ++i) {
    FileEvent event;
    std::memcpy(&event, data + i * sizeof(event), sizeof(event));
    if (event.x < 0 || event.y < 0) throw_outside(stream, event.x, event.y, at, path);
    add_event(stream, event.t_us, event.x, event.y, event.polarity != 0, at, path);
  }
}

}  // namespace

EventStream parse_aedat4(ByteSpan bytes, const std::string& path) {
  const Container container = read_header(bytes, path);
  if (container.table) check_table(container, bytes, path);
  EventStream stream{container.size.width, container.size.height, {}};
  for (size_t at = container.begin; at < container.end;) {
    const size_t left = container.end - at;
    if (left < 8) throw DataError(path, at, str("expected a packet header of 8 bytes, found ", left));
    const auto id = static_cast<int32_t>(le32(bytes.data + at));
    const uint64_t size = le32(bytes.data + at + 4);
    if (size > left - 8) throw DataError(path, at, str("expected ", size, " bytes, found ", left - 8));
    if (id == container.events_id) add_packet(stream, container, {bytes.data + at + 8, size}, at, path);
    at += 8 + size;
  }
  return stream;
}

}  // namespace spiketrain
