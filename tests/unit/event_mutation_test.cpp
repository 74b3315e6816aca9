// Event files cut off at every byte and damaged at random: the parsers return or throw DataError.
#include <gtest/gtest.h>

#include <cstring>

#include "spiketrain/data/events/event_lists.h"
#include "spiketrain/data/events/event_parsers.h"
#include "tests/support/event_files.h"
#include "tests/support/mutation.h"

namespace spiketrain::event_mutation_test {

struct Case {
  const char* name;
  EventStream (*parse)(ByteSpan, const std::string&);
  Bytes good;
  int least;  ///< damaged files that must be refused; few where nearly all bytes are values
};

std::vector<Case> cases() {
  const auto events = event_samples();
  return {{"nmnist", parse_nmnist, make_nmnist(events), 500},
          {"slayer1d", parse_slayer1d, make_nmnist(events), 500},
          {"slayer3d", parse_slayer3d, make_slayer3d(events), 1000},
          {"aedat2 dvs128", parse_aedat2, make_aedat2(events, "DVS128", false), 1000},
          {"aedat2 davis", parse_aedat2, make_aedat2(events, "DAVIS240C", true), 1000},
          {"aedat3", parse_aedat3, make_aedat3(events), 1000},
          {"dat", parse_dat, make_dat(events), 1000},
          {"evt2", parse_evt2, make_evt2(events), 1000},
          {"evt3", parse_evt3, make_evt3(events), 1000},
          {"es dvs", parse_es, make_es(events, false), 1000},
          {"es atis", parse_es, make_es(events, true), 1000},
          {"aedat4 plain", parse_aedat4, make_aedat4(events, 0), 1000},
          {"aedat4 lz4", parse_aedat4, make_aedat4(events, 1), 1000},
          {"aedat4 zstd", parse_aedat4, make_aedat4(events, 3), 1000}};
}

TEST(EventMutation, CutOff) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    const EventStream whole = one.parse(one.good, "mem");
    for (size_t size = 0; size < one.good.size(); ++size) {
      // A buffer of exactly this size, so that a sanitizer sees a read past the end.
      const std::unique_ptr<uint8_t[]> copy(new uint8_t[size]);
      if (size) std::memcpy(copy.get(), one.good.data(), size);
      try {
        const EventStream part = one.parse({copy.get(), size}, "mem");
        ASSERT_LE(part.events.size(), whole.events.size()) << size;
        ASSERT_TRUE(part.events.empty() || part.width != whole.width ||
                    std::equal(part.events.begin(), part.events.end(), whole.events.begin()))
            << size;
      } catch (const DataError& error) {
        ASSERT_LE(error.byte_offset, size);
      }
    }
  }
}

TEST(EventMutation, Damaged) {
  uint64_t kind = 20;
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    attack(
        one.good, kind++,
        [&one](const Bytes& bytes) {
          const EventStream stream = one.parse(bytes, "mem");
          ASSERT_LE(stream.events.size(), 40 * bytes.size() + 4096);
          if (stream.width == 0) return;
          for (const Event& event : stream.events) {
            ASSERT_TRUE(event.x < stream.width && event.y < stream.height && event.polarity <= 1);
          }
        },
        one.least);
  }
}

TEST(EventMutation, GestureLabels) {
  const std::string text =
      "class,startTime_usec,endTime_usec\n11,100000,110000\r\n1,110000,120001\n4,120000,130000\n";
  attack(Bytes(text.begin(), text.end()), 40, [](const Bytes& bytes) {
    for (const GestureLabel& one : parse_gesture_labels(bytes, "mem")) {
      ASSERT_TRUE(one.label >= 0 && one.label < 11);
      ASSERT_TRUE(one.begin_us >= 0 && one.begin_us < one.end_us);
    }
  });
}

}  // namespace spiketrain::event_mutation_test
