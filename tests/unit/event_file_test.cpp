// Which format a file has, and what is said if none; text headers.
#include "spiketrain/data/events/event_file.h"

#include <gtest/gtest.h>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_bytes.h"
#include "tests/support/event_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::event_file_test {

TEST(EventFile, DetectsAndReads) {
  TempDir dir;
  const auto events = event_samples();
  const auto check = [&](const std::string& name, const std::string& format, const Bytes& bytes) {
    SCOPED_TRACE(name);
    write_file_atomic(dir / name, {bytes});
    EXPECT_EQ(detect_event_format(dir / name), format);
    EXPECT_EQ(read_events(dir / name).events, events);
    EXPECT_EQ(read_events(dir / name, format).events, events);
  };
  check("a.aedat4", "aedat4", make_aedat4(events, 1));
  check("b.aedat", "aedat3", make_aedat3(events));
  check("c.aedat", "aedat2", make_aedat2(events, "DVS128", false));
  check("d.es", "es", make_es(events, false));
  check("e.raw", "evt3", make_evt3(events));
  check("f.raw", "evt2", make_evt2(events));
  check("g.dat", "dat", make_dat(events));
  check("h.BIN", "nmnist", make_nmnist(events));
  check("i.bs2", "nmnist", make_nmnist(events));
  check("j.bs3", "slayer3d", make_slayer3d(events));
  check("no_extension", "es", make_es(events, true));
}

TEST(EventFile, Refuses) {
  TempDir dir;
  const auto refused = [&](const std::string& name, const std::string& text, const std::string& words) {
    write_file_atomic(dir / name, text);
    try {
      read_events(dir / name);
      FAIL() << "expected: " << words;
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  refused("a.raw", "what is this", "known event file");
  refused("a.xyz", "", "known event file");
  refused("a.aedat", "#!AER-DAT3.0\r\n", "AEDAT 2.0, 3.1 or 4.0");
  refused("a.h5", "\x89HDF\r\n\x1a\n", "HDF5");
  EXPECT_THROW(read_events(dir / "missing.es"), DataError);
  EXPECT_THROW(read_events(dir / "a.raw", "evt9"), UsageError);
  EXPECT_TRUE(has_event_extension("x/y.AEDAT"));
  EXPECT_FALSE(has_event_extension("x/y.png"));
}

TEST(EventFile, FormatsAreDescribed) {
  for (const EventFormatInfo& info : event_formats()) {
    EXPECT_FALSE(info.doc.empty());
    ASSERT_FALSE(info.extensions.empty());
    for (const std::string& extension : info.extensions) EXPECT_TRUE(has_event_extension("a" + extension));
  }
}

TEST(EventBytes, TextHeader) {
  Bytes bytes;
  put_text(bytes, "# Key:  some value \r\n#Other: 1\n#\x01");
  const TextHeader header = read_text_header(bytes, '#', "", "mem");
  EXPECT_EQ(header.lines.size(), 2u);
  EXPECT_EQ(header.end, bytes.size() - 2);
  EXPECT_EQ(header.value("Key:"), "some value");
  EXPECT_EQ(header.value("Other:"), "1");
  EXPECT_EQ(header.value("Missing:"), "");
  bytes.pop_back();
  EXPECT_THROW(read_text_header(bytes, '#', "", "mem"), DataError);
}

TEST(EventBytes, TimeUnwrap) {
  TimeUnwrap unwrap(8);
  EXPECT_EQ(unwrap(250), 250);
  EXPECT_EQ(unwrap(240), 240);
  EXPECT_EQ(unwrap(3), 259);
  EXPECT_EQ(unwrap(255), 255);
  EXPECT_EQ(unwrap(100), 356);
  EXPECT_EQ(unwrap(10), 266);
}

TEST(EventBytes, RefusesTimesThatWouldOverflow) {
  EventStream stream;
  add_event(stream, kMaxTime, 0, 0, true, 0, "file");
  EXPECT_THROW(add_event(stream, kMaxTime + 1, 0, 0, true, 0, "file"), DataError);
  EXPECT_THROW(add_event(stream, INT64_MIN, 0, 0, true, 0, "file"), DataError);
  EXPECT_EQ(stream.events.size(), 1U);
}

TEST(EventBytes, ChipSize) {
  EXPECT_EQ(chip_size("DAVIS346red").width, 346);
  EXPECT_EQ(chip_size("dvxplorerlite_1").width, 320);
  EXPECT_EQ(chip_size("retina").width, 0);
}

}  // namespace spiketrain::event_file_test
