// First byte: which format; the rest: any bytes.  The parser returns events inside the sensor or throws
// DataError.  HDF5 (SHD) is not here: its parser is the library's.
#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_parsers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spiketrain;
  static constexpr decltype(&parse_nmnist) kParsers[] = {
      parse_aedat4, parse_aedat3, parse_aedat2, parse_es,       parse_evt3,
      parse_evt2,   parse_dat,    parse_nmnist, parse_slayer1d, parse_slayer3d};
  if (size == 0) return 0;
  try {
    const EventStream stream = kParsers[data[0] % std::size(kParsers)]({data + 1, size - 1}, "fuzz");
    for (const Event& event : stream.events) {
      if (stream.width > 0 && (event.x >= stream.width || event.y >= stream.height)) std::abort();
      if (event.polarity > 1) std::abort();
    }
  } catch (const DataError&) {
  }
  return 0;
}
