// First byte: which format; the rest: any bytes.  The parser returns events inside the sensor, that of the
// labels of DVS128 Gesture clips that are not empty, or throws DataError.  HDF5 (SHD) is not here: its parser
// is the library's.
#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_lists.h"
#include "spiketrain/data/events/event_parsers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spiketrain;
  static constexpr decltype(&parse_nmnist) kParsers[] = {
      parse_aedat4, parse_aedat3, parse_aedat2, parse_es,       parse_evt3,
      parse_evt2,   parse_dat,    parse_nmnist, parse_slayer1d, parse_slayer3d};
  if (size == 0) return 0;
  try {
    const size_t which = data[0] % (std::size(kParsers) + 1);
    if (which == std::size(kParsers)) {
      for (const GestureLabel& one : parse_gesture_labels({data + 1, size - 1}, "fuzz")) {
        if (one.label < 0 || one.label > 10 || one.begin_us < 0 || one.begin_us >= one.end_us) std::abort();
      }
      return 0;
    }
    const EventStream stream = kParsers[which]({data + 1, size - 1}, "fuzz");
    for (const Event& event : stream.events) {
      if (stream.width > 0 && (event.x >= stream.width || event.y >= stream.height)) std::abort();
      if (event.polarity > 1) std::abort();
    }
  } catch (const DataError&) {
  }
  return 0;
}
