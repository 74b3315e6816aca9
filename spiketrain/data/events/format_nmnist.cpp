// N-MNIST and SLAYER binaries: records without a header, big-endian.
//   .bin, .bs2  x 8 | y 8 | polarity 1 | time 23      .bs1  channel 16 | polarity 1 | time 23
//   .bs3        x 12 | y 12 | polarity 8 | time 24    time in us
// Sources: Orchard et al. 2015, "Converting static image datasets to spiking neuromorphic datasets using
// saccades", and the data set's reader: a record with y = 240 is no event but adds 2^13 us to the time of all
// that follow.  Shrestha and Orchard 2018, SLAYER, for the others.
#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_parsers.h"

namespace spiketrain {
namespace {

constexpr uint8_t kOverflowRow = 240;
constexpr int64_t kOverflowTime = 1 << 13;

}  // namespace

EventStream parse_nmnist(ByteSpan bytes, const std::string& path) {
  check_records(bytes, 0, 5, path);
  EventStream stream;
  stream.events.reserve(bytes.size / 5);
  int64_t base = 0;
  for (size_t at = 0; at < bytes.size; at += 5) {
    const uint8_t* p = bytes.data + at;
    if (p[1] == kOverflowRow) {
      base += kOverflowTime;
      continue;
    }
    const uint32_t low = be32(p + 1) & 0x7fffff;
    add_event(stream, base + low, p[0], p[1], p[2] >> 7, at, path);
  }
  return stream;
}

EventStream parse_slayer1d(ByteSpan bytes, const std::string& path) {
  check_records(bytes, 0, 5, path);
  EventStream stream;
  stream.events.reserve(bytes.size / 5);
  for (size_t at = 0; at < bytes.size; at += 5) {
    const uint8_t* p = bytes.data + at;
    add_event(stream, be32(p + 1) & 0x7fffff, p[0] << 8 | p[1], 0, p[2] >> 7, at, path);
  }
  return stream;
}

EventStream parse_slayer3d(ByteSpan bytes, const std::string& path) {
  check_records(bytes, 0, 7, path);
  EventStream stream;
  stream.events.reserve(bytes.size / 7);
  for (size_t at = 0; at < bytes.size; at += 7) {
    const uint8_t* p = bytes.data + at;
    const uint32_t pixel = be32(p) >> 8;
    if (p[3] > 1) throw DataError(path, at + 3, str("expected polarity 0 or 1, found ", int{p[3]}));
    add_event(stream, be32(p + 3) & 0xffffff, pixel >> 12, pixel & 0xfff, p[3] == 1, at, path);
  }
  return stream;
}

}  // namespace spiketrain
