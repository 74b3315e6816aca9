// Prophesee's files: "% key value" lines, then little-endian words.
//   DAT    type u8 | bytes per event u8, then time u32 | x 14, y 14, polarity 4 from bit 0 up; version 2
//   EVT 2  type in bits 28-31: 0, 1 events OFF, ON: time 6, x 11, y 11 | 8 high 28 bits of the time
//   EVT 3  type in bits 12-15: 0 y 11 | 2 polarity 1, x 11: an event | 3 polarity 1, base x 11
//          | 4, 5 an event for each bit set of 12 or 8, at base x + bit, then base x += 12 or 8
//          | 6 low 12 bits of the time | 8 high 12 bits
// Times in us; the clocks wrap at 32, 34 and 24 bits.  Source: Prophesee's descriptions of the formats.
// EVT words are read from the first high time on (EVT 3: and the first y): before, the time is not known.
// In EVT 3 the low bits start again at 0 when the high ones change: time is high << 12 | low.
#include <cstdlib>
#include <utility>

#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_parsers.h"

namespace spiketrain {
namespace {

/// A positive number up to 65536 at the start of `text`, else 0.
int64_t size_number(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  const std::string number = text.substr(0, digits);
  if (number.empty() || number.size() > 5) return 0;
  return std::strtol(number.c_str(), nullptr, 10);
}

/// Width and Height (DAT), geometry WxH or format ...;width=W;height=H (EVT), else the sensor of the plugin.
ChipSize header_size(const TextHeader& header) {
  const auto after = [](const std::string& text, const std::string& key) {
    const size_t at = text.find(key);
    return at == std::string::npos ? 0 : size_number(text.substr(at + key.size()));
  };
  const std::string geometry = header.value("geometry "), format = header.value("format ");
  const std::string plugin = header.value("plugin_name ");
  ChipSize size{size_number(header.value("Width ")), size_number(header.value("Height "))};
  if (size.width == 0) size = {size_number(geometry), after(geometry, "x")};
  if (size.width == 0) size = {after(format, "width="), after(format, "height=")};
  if (size.width == 0 && plugin.find("gen4") != std::string::npos) size = {1280, 720};
  if (size.width == 0 && plugin.find("gen3") != std::string::npos) size = {640, 480};
  return size.width > 0 && size.height > 0 ? size : ChipSize{};
}

struct Body {
  EventStream stream;
  size_t begin;
};

/// Header of an EVT file, whose words have `word` bytes.
Body open_evt(ByteSpan bytes, const std::string& version, size_t word, const std::string& path) {
  const TextHeader header = read_text_header(bytes, '%', "% end", path);
  const std::string format = header.value("format ");
  if (header.value("evt ") != version + ".0" && format.substr(0, format.find(';')) != "EVT" + version)
    throw DataError(path, 0, str("expected a header that says evt ", version, ".0"));
  check_records(bytes, header.end, word, path);
  const ChipSize size = header_size(header);
  return {{size.width, size.height, {}}, header.end};
}

[[noreturn]] void throw_reserved(uint32_t type, size_t at, const std::string& path) {
  throw DataError(path, at, str("expected an EVT word, found the reserved type ", type));
}

/// What EVT 3 words refer to.
struct Evt3State {
  TimeUnwrap unwrap{12};
  int64_t high = -1, low = 0, y = -1, base_x = 0;
  bool base_on = false;

  bool ready() const { return high >= 0 && y >= 0; }
  int64_t time() const { return high << 12 | low; }
  void set_high(uint32_t raw) {
    const int64_t next = unwrap(raw);
    if (next != high) low = 0;
    high = next;
  }
};

void add_vector(EventStream& stream, Evt3State& state, uint32_t mask, int64_t length, size_t at,
                const std::string& path) {
  for (; state.ready() && mask; mask &= mask - 1) {
    const int64_t x = state.base_x + __builtin_ctz(mask);
    if (x > 0x7ff) throw DataError(path, at, str("expected a column below 2048, found ", x));
    add_event(stream, state.time(), x, state.y, state.base_on, at, path);
  }
  state.base_x += length;
}

}  // namespace

EventStream parse_dat(ByteSpan bytes, const std::string& path) {
  const TextHeader header = read_text_header(bytes, '%', "% end", path);
  if (header.lines.empty()) throw DataError(path, 0, "expected header lines that start with %");
  const std::string version = header.value("Version ");
  if (version != "2") throw DataError(path, 0, str("expected version 2 of DAT, found '", version, "'"));
  const size_t begin = header.end + 2;
  if (bytes.size < begin) throw DataError(path, header.end, "expected the type and size of the events");
  const int type = bytes.data[header.end], size = bytes.data[header.end + 1];
  if ((type != 0 && type != 12) || size != 8) {
    throw DataError(path, header.end,
                    str("expected events of type 0 or 12 and 8 bytes, found type ", type, " and ", size));
  }
  check_records(bytes, begin, 8, path);
  const ChipSize sensor = header_size(header);
  EventStream stream{sensor.width, sensor.height, {}};
  stream.events.reserve((bytes.size - begin) / 8);
  TimeUnwrap unwrap(32);
  for (size_t at = begin; at < bytes.size; at += 8) {
    const uint32_t address = le32(bytes.data + at + 4);
    add_event(stream, unwrap(le32(bytes.data + at)), address & 0x3fff, address >> 14 & 0x3fff,
              (address >> 28) != 0, at, path);
  }
  return stream;
}

EventStream parse_evt2(ByteSpan bytes, const std::string& path) {
  Body body = open_evt(bytes, "2", 4, path);
  EventStream& stream = body.stream;
  stream.events.reserve((bytes.size - body.begin) / 4);
  TimeUnwrap unwrap(28);
  int64_t high = -1;
  for (size_t at = body.begin; at < bytes.size; at += 4) {
    const uint32_t word = le32(bytes.data + at), type = word >> 28;
    if (type <= 1) {
      if (high < 0) continue;
      add_event(stream, high << 6 | (word >> 22 & 0x3f), word >> 11 & 0x7ff, word & 0x7ff, type == 1, at,
                path);
    } else if (type == 8) {
      high = unwrap(word & 0xfffffff);
    } else if (type != 10 && type < 14) {
      throw_reserved(type, at, path);
    }
  }
  return std::move(stream);
}

EventStream parse_evt3(ByteSpan bytes, const std::string& path) {
  Body body = open_evt(bytes, "3", 2, path);
  EventStream& stream = body.stream;
  stream.events.reserve((bytes.size - body.begin) / 4);
  Evt3State state;
  for (size_t at = body.begin; at < bytes.size; at += 2) {
    const uint32_t word = le16(bytes.data + at), type = word >> 12;
    switch (type) {
      case 0:
        state.y = word & 0x7ff;
        break;
      case 2:
        if (state.ready()) add_event(stream, state.time(), word & 0x7ff, state.y, word >> 11 & 1, at, path);
        break;
      case 3:
        state.base_x = word & 0x7ff;
        state.base_on = word >> 11 & 1;
        break;
      case 4:
        add_vector(stream, state, word & 0xfff, 12, at, path);
        break;
      case 5:
        add_vector(stream, state, word & 0xff, 8, at, path);
        break;
      case 6:
        state.low = word & 0xfff;
        break;
      case 8:
        state.set_high(word & 0xfff);
        break;
      case 7:   // continued
      case 10:  // external trigger
      case 14:  // others
      case 15:  // continued
        break;
      default:
        throw_reserved(type, at, path);
    }
  }
  return std::move(stream);
}

}  // namespace spiketrain
