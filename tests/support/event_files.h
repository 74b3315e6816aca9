// Writes event files of every format for tests, from the same list of events.
// The events of event_samples() fit every format: pixels below 100, times that grow, less than 2^22 us.
#pragma once
#include <flatbuffers/flatbuffers.h>
#include <lz4frame.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

inline std::vector<Event> event_samples() {
  std::vector<Event> events;
  int64_t t = 5000;
  for (int i = 0; i < 24; ++i) {
    t += (i * i * 37) % 900 + (i % 5 == 0 ? 9000 : 1);
    events.push_back({t, static_cast<uint16_t>((i * 13) % 100), static_cast<uint16_t>((i * 29) % 98),
                      static_cast<uint8_t>(i % 3 == 0)});
  }
  return events;
}

// One by one: GCC 12 takes an insertion at the end of an empty vector for an overflow.
template <class Range>
void put_all(Bytes& out, const Range& range) {
  for (const auto byte : range) out.push_back(static_cast<uint8_t>(byte));
}
inline void put_text(Bytes& out, const std::string& text) { put_all(out, text); }
inline void put_le(Bytes& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
inline void put_be(Bytes& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

inline Bytes make_nmnist(const std::vector<Event>& events) {
  Bytes out;
  for (const Event& e : events) {
    put_be(out, uint64_t{e.x} << 8 | e.y, 2);
    put_be(out, static_cast<uint64_t>(e.t_us) | uint64_t{e.polarity} << 23, 3);
  }
  return out;
}

inline Bytes make_slayer3d(const std::vector<Event>& events) {
  Bytes out;
  for (const Event& e : events) {
    put_be(out, uint64_t{e.x} << 20 | uint64_t{e.y} << 8 | e.polarity, 4);
    put_be(out, static_cast<uint64_t>(e.t_us), 3);
  }
  return out;
}

inline Bytes make_aedat2(const std::vector<Event>& events, const std::string& chip, bool davis) {
  Bytes out;
  put_text(out, "#!AER-DAT2.0\r\n# Timestamps tick is 1 us\r\n");
  if (!chip.empty()) put_text(out, "# AEChip: " + chip + "\r\n");
  for (const Event& e : events) {
    const uint32_t x = e.x, y = e.y, on = e.polarity;
    put_be(out, davis ? (179 - y) << 22 | x << 12 | on << 11 : (127 - y) << 8 | (127 - x) << 1 | (1 - on), 4);
    put_be(out, static_cast<uint64_t>(e.t_us), 4);
  }
  return out;
}

/// One packet of AEDAT 3.1: events of `size` bytes.
inline void put_aedat3_packet(Bytes& out, uint64_t type, uint64_t size, uint64_t overflow, uint64_t number,
                              uint64_t valid, const Bytes& body) {
  put_le(out, type, 2);
  put_le(out, 1, 2);
  for (const uint64_t value : {size, uint64_t{4}, overflow, number, number, valid}) put_le(out, value, 4);
  put_all(out, body);
}

inline Bytes aedat3_header() {
  Bytes out;
  put_text(out, "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS240C\r\n#!END-HEADER\r\n");
  return out;
}

inline Bytes aedat3_body(const std::vector<Event>& events, uint32_t valid_bit = 1) {
  Bytes body;
  for (const Event& e : events) {
    put_le(body, uint32_t{e.x} << 17 | uint32_t{e.y} << 2 | uint32_t{e.polarity} << 1 | valid_bit, 4);
    put_le(body, static_cast<uint64_t>(e.t_us), 4);
  }
  return body;
}

inline Bytes make_aedat3(const std::vector<Event>& events) {
  Bytes out = aedat3_header();
  put_aedat3_packet(out, 3, 36, 0, 2, 2, Bytes(72, 7));  // inertial samples
  put_aedat3_packet(out, 1, 8, 0, events.size(), events.size(), aedat3_body(events));
  return out;
}

inline Bytes make_dat(const std::vector<Event>& events) {
  Bytes out;
  put_text(out, "% Data file containing CD events\n% Version 2\n% Width 304\n% Height 240\n");
  put_le(out, 12 | 8 << 8, 2);
  for (const Event& e : events) {
    put_le(out, static_cast<uint64_t>(e.t_us), 4);
    put_le(out, uint32_t{e.x} | uint32_t{e.y} << 14 | uint32_t{e.polarity} << 28, 4);
  }
  return out;
}

inline Bytes make_evt2(const std::vector<Event>& events) {
  Bytes out;
  put_text(out, "% evt 2.0\n% geometry 320x240\n% end\n");
  for (const Event& e : events) {
    const auto t = static_cast<uint64_t>(e.t_us);
    put_le(out, uint64_t{8} << 28 | t >> 6, 4);
    put_le(out, uint64_t{e.polarity} << 28 | (t & 63) << 22 | uint64_t{e.x} << 11 | e.y, 4);
  }
  return out;
}

/// Events one by one (word type 2); every fourth as a vector of one.
inline Bytes make_evt3(const std::vector<Event>& events) {
  Bytes out;
  put_text(out, "% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n");
  int64_t high = -1;
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& e = events[i];
    if (e.t_us >> 12 != high) put_le(out, 0x8000U | ((e.t_us >> 12) & 0xfff), 2);
    high = e.t_us >> 12;
    put_le(out, 0x6000U | (e.t_us & 0xfff), 2);
    put_le(out, e.y, 2);
    const unsigned on = static_cast<unsigned>(e.polarity) << 11;
    if (i % 4 != 3) {
      put_le(out, 0x2000U | on | e.x, 2);
    } else {
      const unsigned back = e.x % 8U;
      put_le(out, 0x3000U | on | (e.x - back), 2);
      put_le(out, (i % 8 == 3 ? 0x4000U : 0x5000U) | 1U << back, 2);
    }
  }
  return out;
}

inline Bytes es_header(uint8_t type) {
  Bytes out;
  put_text(out, "Event Stream");
  for (const uint8_t byte : {uint8_t{2}, uint8_t{0}, uint8_t{0}, type}) out.push_back(byte);
  put_le(out, 320, 2);
  put_le(out, 240, 2);
  return out;
}

inline Bytes make_es(const std::vector<Event>& events, bool atis) {
  Bytes out = es_header(atis ? 2 : 1);
  int64_t last = 0;
  const int64_t most = atis ? 63 : 127;
  for (const Event& e : events) {
    int64_t wait = e.t_us - last;
    last = e.t_us;
    while (wait >= most) {
      const int64_t n = atis ? std::min<int64_t>(wait / most, 3) : 1;
      out.push_back(static_cast<uint8_t>(atis ? 0xfc | n : 0xff));
      wait -= n * most;
    }
    out.push_back(static_cast<uint8_t>(atis ? wait << 2 | e.polarity << 1 : wait << 1 | e.polarity));
    put_le(out, e.x, 2);
    put_le(out, e.y, 2);
  }
  return out;
}

inline Bytes pack(const Bytes& data, int compression) {
  Bytes out = data;
  if (compression == 1 || compression == 2) {
    out.resize(LZ4F_compressFrameBound(data.size(), nullptr));
    out.resize(LZ4F_compressFrame(out.data(), out.size(), data.data(), data.size(), nullptr));
  } else if (compression != 0) {
    out.resize(ZSTD_compressBound(data.size()));
    out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3));
  }
  return out;
}

inline Bytes events_flatbuffer(const std::vector<Event>& events) {
  struct Record {
    int64_t t_us;
    uint16_t x, y;
    uint32_t polarity;  // with three bytes of padding
  };
  static_assert(sizeof(Record) == 16);
  std::vector<Record> records;
  for (const Event& e : events) records.push_back({e.t_us, e.x, e.y, e.polarity});
  flatbuffers::FlatBufferBuilder builder;
  const auto vector = builder.CreateVectorOfStructs(records);
  const auto table = builder.StartTable();
  builder.AddOffset(4, vector);
  builder.FinishSizePrefixed(flatbuffers::Offset<flatbuffers::Table>(builder.EndTable(table)), "EVTS");
  return Bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
}

inline std::string aedat4_stream(int id, const std::string& type) {
  const std::string n = std::to_string(id);
  return "<node name=\"" + n + "\" path=\"/outInfo/" + n +
         "/\"><attr key=\"typeIdentifier\" type=\"string\">" + type +
         "</attr><node name=\"info\"><attr key=\"sizeX\" type=\"int\">346</attr>" +
         "<attr key=\"sizeY\" type=\"int\">260</attr></node></node>";
}

inline Bytes aedat4_header(int compression, const std::string& streams) {
  flatbuffers::FlatBufferBuilder builder;
  const auto info =
      builder.CreateString("<dv version=\"2.0\"><node name=\"outInfo\">" + streams + "</node></dv>");
  const auto table = builder.StartTable();
  builder.AddElement<int64_t>(6, -1, 0);
  builder.AddElement<int32_t>(4, compression, 0);
  builder.AddOffset(8, info);
  builder.FinishSizePrefixed(flatbuffers::Offset<flatbuffers::Table>(builder.EndTable(table)), "IOHE");
  Bytes out;
  put_text(out, "#!AER-DAT4.0\r\n");
  for (size_t i = 0; i < builder.GetSize(); ++i) out.push_back(builder.GetBufferPointer()[i]);
  return out;
}

inline void put_aedat4_packet(Bytes& out, uint64_t stream, const Bytes& body) {
  put_le(out, stream, 4);
  put_le(out, body.size(), 4);
  put_all(out, body);
}

/// Two packets of events with one of frames between.
inline Bytes make_aedat4(const std::vector<Event>& events, int compression) {
  Bytes out = aedat4_header(compression, aedat4_stream(0, "EVTS") + aedat4_stream(1, "FRME"));
  const auto half = events.begin() + static_cast<int64_t>(events.size() / 2);
  put_aedat4_packet(out, 0, pack(events_flatbuffer({events.begin(), half}), compression));
  put_aedat4_packet(out, 1, Bytes(100, 9));
  put_aedat4_packet(out, 0, pack(events_flatbuffer({half, events.end()}), compression));
  return out;
}

}  // namespace spiketrain
