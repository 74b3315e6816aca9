// spiketrain inspect on event files.
#include <gtest/gtest.h>

#include "spiketrain/base/file.h"
#include "tests/support/event_files.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::event_cli_test {

TEST(EventCli, Inspect) {
  TempDir dir;
  const auto run = [&dir](const std::string& file, int code) {
    EXPECT_EQ(wait_for(spawn({ST_CLI, "inspect", file}, dir / "output")), code);
    const Bytes bytes = read_file(dir / "output");
    return std::string(bytes.begin(), bytes.end());
  };
  const std::vector<Event> events = {{1000, 1, 2, 1}, {2000, 3, 4, 0}, {501000, 5, 6, 0}, {3000, 7, 8, 0}};
  write_file_atomic(dir / "a.es", {make_es({events[0], events[1], events[2]}, false)});
  EXPECT_EQ(run(dir / "a.es", 0),
            "format: es\nsensor: 320 x 240\nevents: 3\nduration: 0.5 s\nON: 33.33 %\nrate: 6 events/s\n");
  write_file_atomic(dir / "b.bin", {make_nmnist(events)});
  EXPECT_NE(run(dir / "b.bin", 0).find("sensor: the file does not say\nevents: 4"), std::string::npos);
  write_file_atomic(dir / "c.bin", {ByteSpan()});
  EXPECT_NE(run(dir / "c.bin", 0).find("events: 0\n"), std::string::npos);
  write_file_atomic(dir / "d.es", {es_header(0)});
  EXPECT_NE(run(dir / "d.es", 3).find("byte 15: generic events"), std::string::npos);
}

}  // namespace spiketrain::event_cli_test
