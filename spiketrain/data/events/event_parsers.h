// One parser per format of event files.  Each takes the whole file, allocates in proportion to it, and throws
// DataError with the offset of the record in question if it is damaged; `path` is only named in errors.
// Tests: unit/event_*_test.cpp, fuzz/fuzz_events.cpp.
#pragma once
#include <string>

#include "spiketrain/base/file.h"
#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

/// N-MNIST .bin, SLAYER .bs2: 8-bit x and y, polarity, 23 bits of time.
EventStream parse_nmnist(ByteSpan bytes, const std::string& path);
/// SLAYER .bs1: 16 bits of channel (x; y is 0), polarity, 23 bits of time.
EventStream parse_slayer1d(ByteSpan bytes, const std::string& path);
/// SLAYER .bs3: 12-bit x and y, 8 bits of polarity, 24 bits of time.
EventStream parse_slayer3d(ByteSpan bytes, const std::string& path);
/// AEDAT 2.0 of jAER, from a DVS128 or a DAVIS; frames, IMU samples and external events are skipped.
EventStream parse_aedat2(ByteSpan bytes, const std::string& path);
/// AEDAT 3.1 of cAER, raw format; packets other than polarity events are skipped.
EventStream parse_aedat3(ByteSpan bytes, const std::string& path);
/// AEDAT 4 of DV; streams other than the one of events are skipped.
EventStream parse_aedat4(ByteSpan bytes, const std::string& path);
/// Prophesee DAT, version 2, change detection events.
EventStream parse_dat(ByteSpan bytes, const std::string& path);
/// Prophesee EVT 2.0 and EVT 3.0; triggers and vendor words are skipped.
EventStream parse_evt2(ByteSpan bytes, const std::string& path);
EventStream parse_evt3(ByteSpan bytes, const std::string& path);
/// Event Stream .es, version 2, of a DVS or an ATIS; exposure measurements are skipped.
EventStream parse_es(ByteSpan bytes, const std::string& path);

}  // namespace spiketrain
