// Text files that list recordings, and their labels.
// Tests: unit/event_sets_test.cpp, unit/event_mutation_test.cpp, fuzz/fuzz_events.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"

namespace spiketrain {

struct TextLine {
  std::string text;     ///< without '\r' and spaces at the end
  uint64_t offset = 0;  ///< of its first byte
};
/// The lines that are not empty.
std::vector<TextLine> text_lines(ByteSpan bytes);

/// The integers of one line, separated by spaces, tabs or commas; false if there is anything else, or one is
/// too large.
bool read_integers(std::string line, std::vector<int64_t>& out);

/// One line of the labels of DVS128 Gesture.
struct GestureLabel {
  int64_t label = 0;                 ///< from 0
  int64_t begin_us = 0, end_us = 0;  ///< begin < end
};
/// Lines "class,start,end", class 1 to 11, times in us, below a head line that begins with "class".
/// DataError with the offset of the line that is something else; `path` is only named there.
std::vector<GestureLabel> parse_gesture_labels(ByteSpan bytes, const std::string& path);

}  // namespace spiketrain
