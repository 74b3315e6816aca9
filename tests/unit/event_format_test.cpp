// Event files written in memory, every format: events, skipped records, clocks that wrap, refusals.
#include <gtest/gtest.h>

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_parsers.h"
#include "tests/support/event_files.h"

namespace spiketrain::event_format_test {

using Parser = EventStream (*)(ByteSpan, const std::string&);

void expect_events(const EventStream& stream, const std::vector<Event>& wanted) {
  ASSERT_EQ(stream.events.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Event &a = stream.events[i], &b = wanted[i];
    ASSERT_EQ(a, b) << i << ": " << a.t_us << ' ' << a.x << ' ' << a.y << ' ' << int{a.polarity}
                    << ", expected " << b.t_us << ' ' << b.x << ' ' << b.y << ' ' << int{b.polarity};
  }
}

void expect_refused(Parser parse, const Bytes& bytes, uint64_t offset, const std::string& words) {
  try {
    parse(bytes, "mem");
    FAIL() << "expected: " << words;
  } catch (const DataError& error) {
    EXPECT_EQ(error.path, "mem");
    EXPECT_EQ(error.byte_offset, offset) << error.what();
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(EventFormat, Nmnist) {
  const auto events = event_samples();
  expect_events(parse_nmnist(make_nmnist(events), "mem"), events);
  EXPECT_EQ(parse_nmnist(make_nmnist(events), "mem").width, 0);
  EXPECT_TRUE(parse_nmnist(Bytes(), "mem").events.empty());
  Bytes bytes = {1, 2, 0x80, 1, 2, 0, 240, 0, 0, 9, 3, 4, 0x12, 0x34, 0x56};
  expect_events(parse_nmnist(bytes, "mem"), {{258, 1, 2, 1}, {8192 + 0x123456, 3, 4, 0}});
  bytes.pop_back();
  expect_refused(parse_nmnist, bytes, 10, "record of 5 bytes");
}

TEST(EventFormat, Slayer) {
  const auto events = event_samples();
  expect_events(parse_slayer3d(make_slayer3d(events), "mem"), events);
  expect_refused(parse_slayer3d, {0, 1, 1, 2, 0, 0, 0}, 3, "polarity");
  expect_events(parse_slayer1d(Bytes{1, 2, 0x80, 0, 7}, "mem"), {{7, 258, 0, 1}});
}

TEST(EventFormat, Aedat2Dvs128) {
  const auto events = event_samples();
  const std::string chip = "ch.unizh.ini.jaer.chip.retina.DVS128";
  const EventStream stream = parse_aedat2(make_aedat2(events, chip, false), "mem");
  EXPECT_EQ(stream.width, 128);
  EXPECT_EQ(stream.height, 128);
  expect_events(stream, events);
  expect_events(parse_aedat2(make_aedat2(events, "", false), "mem"), events);
  Bytes bytes = make_aedat2({}, chip, false);
  put_be(bytes, 0x8000, 4);  // external event, but its time counts
  put_be(bytes, 0xfffffff0U, 4);
  put_be(bytes, 1, 4);
  put_be(bytes, 4, 4);  // the clock wrapped
  put_be(bytes, 0, 4);
  put_be(bytes, 0xfffffffeU, 4);  // a late one
  put_be(bytes, 0, 4);
  put_be(bytes, 5, 4);
  const int64_t wrap = int64_t{1} << 32;
  expect_events(parse_aedat2(bytes, "mem"),
                {{wrap + 4, 127, 127, 0}, {wrap - 2, 127, 127, 1}, {wrap + 5, 127, 127, 1}});
}

TEST(EventFormat, Aedat2Davis) {
  const auto events = event_samples();
  Bytes bytes = make_aedat2(events, "eu.seebetter.ini.chips.davis.DAVIS240C", true);
  for (const uint32_t skipped :
       {0x80000000U, 0x80000c00U, 0x00000400U}) {  // frame, inertial sample, external
    put_be(bytes, skipped, 4);
    put_be(bytes, 3000000, 4);
  }
  const EventStream stream = parse_aedat2(bytes, "mem");
  EXPECT_EQ(stream.width, 240);
  EXPECT_EQ(stream.height, 180);
  expect_events(stream, events);
  expect_events(parse_aedat2(make_aedat2(events, "", true), "mem"), events);
  const size_t at = bytes.size();
  put_be(bytes, 240U << 12, 4);
  put_be(bytes, 0, 4);
  expect_refused(parse_aedat2, bytes, at, "inside 240 x 180");
}

TEST(EventFormat, Aedat2Header) {
  Bytes bytes = make_aedat2({}, "eu.seebetter.ini.chips.davis.Davis346red", true);
  EXPECT_EQ(parse_aedat2(bytes, "mem").width, 346);
  EXPECT_TRUE(parse_aedat2(bytes, "mem").events.empty());
  const size_t at = bytes.size();
  put_be(bytes, 0x23000000U, 4);  // '#', but no header line
  put_be(bytes, 0x0a, 4);
  EXPECT_EQ(parse_aedat2(bytes, "mem").events.size(), 1u);
  bytes.pop_back();
  expect_refused(parse_aedat2, bytes, at, "record of 8 bytes");
  expect_refused(parse_aedat2, make_aedat2({}, "ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c", false), 0,
                 "CochleaAMS1c");
  bytes = make_aedat2({}, "DVS128", false);
  put_text(bytes, "#End Of ASCII Header\r\n#abc\n123");  // a record that looks like a line
  EXPECT_EQ(parse_aedat2(bytes, "mem").events.size(), 1u);
  bytes = make_aedat2({}, "", false);
  put_text(bytes, "# HardwareInterface: DVS128-V1 0249\r\n");
  EXPECT_EQ(parse_aedat2(bytes, "mem").width, 128);
}

TEST(EventFormat, Aedat3) {
  const auto events = event_samples();
  const EventStream stream = parse_aedat3(make_aedat3(events), "mem");
  EXPECT_EQ(stream.width, 240);
  expect_events(stream, events);
  Bytes bytes = aedat3_header();
  put_aedat3_packet(bytes, 1, 8, 2, 1, 1,
                    aedat3_body({{7, 1, 2, 1}}, 0));  // "valid" clear, but all are valid
  Bytes mixed = aedat3_body({{8, 3, 4, 0}}, 0);
  const Bytes valid = aedat3_body({{9, 5, 6, 1}}, 1);
  put_all(mixed, valid);
  put_aedat3_packet(bytes, 1, 8, 2, 2, 1, mixed);
  const int64_t base = int64_t{2} << 31;
  expect_events(parse_aedat3(bytes, "mem"), {{base + 7, 1, 2, 1}, {base + 9, 5, 6, 1}});
  const size_t at = bytes.size();
  put_aedat3_packet(bytes, 1, 8, 0, 3, 3, Bytes(23));
  expect_refused(parse_aedat3, bytes, at, "expected 24 bytes of events, found 23");
  bytes = aedat3_header();
  put_aedat3_packet(bytes, 1, 8, 0, 1, 1, aedat3_body({{9, 240, 1, 1}}));
  expect_refused(parse_aedat3, bytes, aedat3_header().size() + 28, "inside 240 x 180");
}

TEST(EventFormat, Aedat3Header) {
  Bytes bytes;
  put_text(bytes, "#!AER-DAT3.1\r\n#Format: RAW\r\n");
  expect_refused(parse_aedat3, bytes, bytes.size(), "#!END-HEADER");
  bytes.clear();
  put_text(bytes, "#!AER-DAT3.1\r\n#Format: PNGFrames\r\n#!END-HEADER\r\n");
  expect_refused(parse_aedat3, bytes, 0, "PNGFrames");
}

TEST(EventFormat, Dat) {
  const auto events = event_samples();
  Bytes bytes = make_dat(events);
  const EventStream stream = parse_dat(bytes, "mem");
  EXPECT_EQ(stream.width, 304);
  EXPECT_EQ(stream.height, 240);
  expect_events(stream, events);
  put_le(bytes, 0xfffffffeU, 4);
  put_le(bytes, 0, 4);
  put_le(bytes, 2, 4);
  put_le(bytes, 0, 4);
  EXPECT_EQ(parse_dat(bytes, "mem").events.back().t_us, (int64_t{1} << 32) + 2);
  Bytes old;
  put_text(old, "% Data file containing CD events\n% Version 1\n");
  expect_refused(parse_dat, old, 0, "version 2");
}

TEST(EventFormat, Evt2) {
  const auto events = event_samples();
  Bytes bytes = make_evt2(events);
  const EventStream stream = parse_evt2(bytes, "mem");
  EXPECT_EQ(stream.width, 320);
  expect_events(stream, events);
  const size_t at = bytes.size();
  for (const uint64_t word : {0xa0000000U, 0xe0000000U, 0xf0000000U, 0x8fffffffU, 0x8000000bU}) {
    put_le(bytes, word, 4);
  }
  put_le(bytes, uint64_t{3} << 22 | 5 << 11 | 6, 4);
  auto wanted = events;
  wanted.push_back({(int64_t{1} << 34) + (11 << 6) + 3, 5, 6, 0});
  expect_events(parse_evt2(bytes, "mem"), wanted);
  bytes.resize(at);
  put_le(bytes, 0x30000000U, 4);
  expect_refused(parse_evt2, bytes, at, "reserved type 3");
  Bytes early;
  put_text(early, "% evt 2.0\n");
  put_le(early, 0x10000000U, 4);
  EXPECT_TRUE(parse_evt2(early, "mem").events.empty()) << "no time yet";
  Bytes other;
  put_text(other, "% evt 2.1\n");
  expect_refused(parse_evt2, other, 0, "evt 2.0");
}

TEST(EventFormat, Evt3Events) {
  const auto events = event_samples();
  const EventStream stream = parse_evt3(make_evt3(events), "mem");
  EXPECT_EQ(stream.width, 1280);
  EXPECT_EQ(stream.height, 720);
  expect_events(stream, events);
}

Bytes evt3_words(const std::vector<uint16_t>& words) {
  Bytes bytes;
  put_text(bytes, "% evt 3.0\n");
  for (const uint16_t word : words) put_le(bytes, word, 2);
  return bytes;
}

TEST(EventFormat, Evt3Vectors) {
  // Time (1 << 12) + 5, row 7, base 100 ON; columns 100, 111 | 113, 119 | 120.
  const Bytes bytes = evt3_words({0x2001, 0x8001, 0x6005, 0x2001, 0x0007, 0x3864, 0x4801, 0x5082, 0x5001});
  const int64_t t = 4096 + 5;
  expect_events(parse_evt3(bytes, "mem"),
                {{t, 100, 7, 1}, {t, 111, 7, 1}, {t, 113, 7, 1}, {t, 119, 7, 1}, {t, 120, 7, 1}});
  expect_refused(parse_evt3, evt3_words({0x8001, 0x0007, 0x37ff, 0x4002}), 16, "column below 2048");
}

TEST(EventFormat, Evt3Time) {
  // The low bits start again with new high bits; the high bits wrap; small steps back are kept.
  const Bytes bytes = evt3_words({0x0001, 0x8fff, 0x6ffe, 0x2001, 0x8000, 0x2002, 0x6003, 0x2003, 0x8fff,
                                  0x6fff, 0x2004, 0x8000, 0x6001, 0x2005, 0xa000, 0xe000, 0x7000, 0xf000});
  const int64_t wrap = 1 << 24;
  expect_events(
      parse_evt3(bytes, "mem"),
      {{wrap - 2, 1, 1, 0}, {wrap, 2, 1, 0}, {wrap + 3, 3, 1, 0}, {wrap - 1, 4, 1, 0}, {wrap + 1, 5, 1, 0}});
  expect_refused(parse_evt3, evt3_words({0x9000}), 10, "reserved type 9");
}

TEST(EventFormat, EventStreamFile) {
  const auto events = event_samples();
  for (const bool atis : {false, true}) {
    const EventStream stream = parse_es(make_es(events, atis), "mem");
    EXPECT_EQ(stream.width, 320);
    EXPECT_EQ(stream.height, 240);
    expect_events(stream, events);
  }
  Bytes bytes = es_header(2);
  for (const int byte :
       {0xfc, 0xfe, 4 << 2 | 3, 1, 0, 2, 0, 5 << 2 | 2, 3, 0, 4, 0}) {  // reset, 126 us, exposure
    bytes.push_back(static_cast<uint8_t>(byte));
  }
  expect_events(parse_es(bytes, "mem"), {{126 + 4 + 5, 3, 4, 1}});
  bytes.pop_back();
  expect_refused(parse_es, bytes, bytes.size() - 4, "event of 5 bytes");
}

TEST(EventFormat, EventStreamFileRefused) {
  expect_refused(parse_es, es_header(0), 15, "generic events have no pixels");
  expect_refused(parse_es, es_header(4), 15, "found type 4");
  Bytes bytes = es_header(1);
  bytes[12] = 1;
  expect_refused(parse_es, bytes, 12, "version 2");
  bytes = es_header(1);
  for (const int byte : {0, 0x40, 1, 0, 0}) bytes.push_back(static_cast<uint8_t>(byte));
  expect_refused(parse_es, bytes, 20, "inside 320 x 240");
}

TEST(EventFormat, Aedat4) {
  const auto events = event_samples();
  for (int compression = 0; compression <= 4; ++compression) {
    const EventStream stream = parse_aedat4(make_aedat4(events, compression), "mem");
    EXPECT_EQ(stream.width, 346);
    EXPECT_EQ(stream.height, 260);
    expect_events(stream, events);
  }
}

/// make_aedat4 and a data table with `size` bytes; its position is in `at`.
Bytes aedat4_with_table(int compression, size_t size, size_t& at) {
  Bytes bytes = make_aedat4(event_samples(), compression);
  const Bytes none(8, 0xff);  // position -1
  const auto place = std::search(bytes.begin(), bytes.end(), none.begin(), none.end());
  at = bytes.size();
  Bytes position;
  put_le(position, at, 8);
  std::copy(position.begin(), position.end(), place);
  Bytes table;
  put_le(table, size, 4);
  for (size_t i = 0; i < size; ++i) table.push_back(static_cast<uint8_t>(i * i));
  put_all(bytes, pack(table, compression));
  return bytes;
}

TEST(EventFormat, Aedat4WithADataTableIsWhole) {
  for (const int compression : {0, 1, 3}) {
    size_t at = 0;
    const Bytes whole = aedat4_with_table(compression, 200, at);
    expect_events(parse_aedat4(whole, "mem"), event_samples());
    for (size_t size = at; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<int64_t>(size));
      expect_refused(parse_aedat4, cut, at, "data table");
    }
    expect_refused(parse_aedat4, Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(at) - 1), 14,
                   "outside the packets");
    Bytes longer = whole;
    longer.push_back(0);
    expect_refused(parse_aedat4, longer, at, "data table");
  }
}

TEST(EventFormat, Aedat4Refused) {
  expect_refused(parse_aedat4, aedat4_header(5, aedat4_stream(0, "EVTS")), 14, "compression 0 to 4");
  expect_refused(parse_aedat4, aedat4_header(1, aedat4_stream(0, "FRME")), 14, "no stream of events");
  expect_refused(parse_aedat4, aedat4_header(1, aedat4_stream(0, "EVTS") + aedat4_stream(3, "EVTS")), 14,
                 "found streams 0 and 3");
  for (const int compression : {1, 3}) {
    const Bytes header = aedat4_header(compression, aedat4_stream(0, "EVTS"));
    Bytes bytes = header;
    const Bytes bomb = pack(Bytes(16 << 20), compression);
    put_aedat4_packet(bytes, 0, bomb);
    // LZ4 cannot pass the limit: the packet is unpacked, and is no FlatBuffer.
    expect_refused(parse_aedat4, bytes, header.size(),
                   compression == 1 ? "not a valid FlatBuffer" : "unpacks to more than");
    bytes = header;
    Bytes cut = pack(events_flatbuffer(event_samples()), compression);
    cut.resize(cut.size() - 5);
    put_aedat4_packet(bytes, 0, cut);
    EXPECT_THROW(parse_aedat4(bytes, "mem"), DataError);
  }
  Bytes outside = aedat4_header(0, aedat4_stream(0, "EVTS"));
  const size_t at = outside.size();
  put_aedat4_packet(outside, 0, events_flatbuffer({{1, 346, 0, 1}}));
  expect_refused(parse_aedat4, outside, at, "inside 346 x 260");
}

}  // namespace spiketrain::event_format_test
