#include "spiketrain/data/events/event_lists.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "spiketrain/base/check.h"

namespace spiketrain {

std::vector<TextLine> text_lines(ByteSpan bytes) {
  std::vector<TextLine> lines;
  std::istringstream in(std::string(bytes.data, bytes.data + bytes.size));
  uint64_t offset = 0;
  for (std::string line; std::getline(in, line);) {
    const uint64_t begin = offset;
    offset += line.size() + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) lines.push_back({line, begin});
  }
  return lines;
}

bool read_integers(std::string line, std::vector<int64_t>& out) {
  out.clear();
  std::replace(line.begin(), line.end(), ',', ' ');
  std::istringstream in(line);
  for (std::string word; in >> word;) {
    const char* end = word.data() + word.size();
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(word.data(), end, value);
    if (error != std::errc() || stop != end) return false;
    out.push_back(value);
  }
  return true;
}

std::vector<GestureLabel> parse_gesture_labels(ByteSpan bytes, const std::string& path) {
  std::vector<GestureLabel> labels;
  std::vector<int64_t> values;
  bool head = true;
  for (const auto& [line, offset] : text_lines(bytes)) {
    const bool skip = head && line.compare(0, 5, "class") == 0;
    head = false;
    if (skip) continue;
    if (!read_integers(line, values) || values.size() != 3 || values[0] < 1 || values[0] > 11 ||
        values[1] < 0 || values[1] >= values[2])
      throw DataError(path, offset, "expected class (1 to 11), start, a later end, got \"" + line + "\"");
    labels.push_back({values[0] - 1, values[1], values[2]});
  }
  return labels;
}

}  // namespace spiketrain
