// AEDAT 2.0: "#" lines, then records of address 32 | time 32, big-endian, time in us.
//   DVS128  bit 0 polarity, inverted | 1-7 x, mirrored | 8-14 y from below | 15, 31 external event
//   DAVIS   bit 31 frame or IMU sample | 22-30 y from below | 12-21 x | 11 polarity | 10 external event
// Sources: iniVation's description of AEDAT 2.0; jAER's extractor classes for the order of the pixels and the
// sense of the DVS128's polarity (ON is 0 in the file), where the description is silent or differs.
// A file that names no chip has the DAVIS240 layout if an address uses more than 16 bits, else the DVS128's.
#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_parsers.h"

namespace spiketrain {
namespace {

constexpr size_t kEventBytes = 8;

struct Layout {
  bool davis = false;
  ChipSize size;
};

/// The chip's name: the last part of the class in the line AEChip, else the interface it was read through.
std::string chip_name(const TextHeader& header) {
  const std::string chip = header.value("AEChip:");
  if (!chip.empty()) return chip.substr(chip.rfind('.') + 1);
  return header.value("HardwareInterface:");
}

Layout choose_layout(ByteSpan bytes, const TextHeader& header, const std::string& path) {
  const std::string chip = chip_name(header);
  if (chip.empty()) {
    for (size_t at = header.end; at < bytes.size; at += kEventBytes) {
      if (be32(bytes.data + at) >> 16) return {true, chip_size("davis240")};
    }
    return {false, chip_size("dvs128")};
  }
  const auto begins = [&chip](const char* upper, const char* mixed) {
    return chip.rfind(upper, 0) == 0 || chip.rfind(mixed, 0) == 0;
  };
  Layout layout{begins("DAVIS", "Davis"), chip_size(chip)};
  if (layout.size.width == 0 && begins("DAVIS ", "Davis ")) layout.size = chip_size("davis240");
  if (layout.size.width == 0 || (!layout.davis && !begins("DVS128", "Dvs128"))) {
    throw DataError(path, 0, str("expected a DVS128 or a DAVIS, found the chip ", chip));
  }
  return layout;
}

}  // namespace

EventStream parse_aedat2(ByteSpan bytes, const std::string& path) {
  if (!starts_with(bytes, "#!AER-DAT2.0")) throw DataError(path, 0, "expected the line #!AER-DAT2.0");
  const TextHeader header = read_text_header(bytes, '#', "#End Of ASCII Header", path);
  check_records(bytes, header.end, kEventBytes, path);
  const Layout layout = choose_layout(bytes, header, path);
  EventStream stream;
  stream.width = layout.size.width;
  stream.height = layout.size.height;
  stream.events.reserve((bytes.size - header.end) / kEventBytes);
  TimeUnwrap unwrap(32);
  const uint32_t skipped = layout.davis ? 0x80000400U : 0x80008000U;
  for (size_t at = header.end; at < bytes.size; at += kEventBytes) {
    const uint32_t address = be32(bytes.data + at);
    const int64_t t = unwrap(be32(bytes.data + at + 4));
    if (address & skipped) continue;
    if (layout.davis) {
      const int64_t y = stream.height - 1 - (address >> 22 & 0x1ff);
      add_event(stream, t, address >> 12 & 0x3ff, y, address >> 11 & 1, at, path);
    } else {
      add_event(stream, t, 127 - (address >> 1 & 0x7f), 127 - (address >> 8 & 0x7f), !(address & 1), at,
                path);
    }
  }
  return stream;
}

}  // namespace spiketrain
