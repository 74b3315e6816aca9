// Counts of a sample as the list of its non-zero places, for the cache.
//   per place: v = 2 * (places skipped) + (count > 1), then, if count > 1, the count; both as LEB128, seven
//   bits a byte, lowest first
// Tests: unit/frame_dataset_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

namespace spiketrain {

/// Appends `value`.
inline void put_leb128(std::vector<uint8_t>& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

/// Takes one number from bytes that put_leb128 wrote.
inline uint64_t take_leb128(const uint8_t*& at) {
  uint64_t value = *at & 0x7f;
  for (int shift = 7; *at++ & 0x80; shift += 7) value |= uint64_t{*at & 0x7fu} << shift;
  return value;
}

/// Codes counts[0 .. size), each limited to `limit`.
inline std::vector<uint8_t> encode_counts(const uint16_t* counts, int64_t size, int64_t limit) {
  std::vector<uint8_t> out;
  int64_t next = 0;
  for (int64_t i = 0; i < size; ++i) {
    if (counts[i] == 0) continue;
    const int64_t count = counts[i] < limit ? counts[i] : limit;
    put_leb128(out, static_cast<uint64_t>(i - next) * 2 + (count > 1));
    if (count > 1) put_leb128(out, static_cast<uint64_t>(count));
    next = i + 1;
  }
  out.shrink_to_fit();
  return out;
}

/// Calls visit(place, count) for every non-zero place, in order.
template <class Visit>
void decode_counts(const std::vector<uint8_t>& code, Visit&& visit) {
  const uint8_t* at = code.data();
  const uint8_t* end = at + code.size();
  for (int64_t place = 0; at != end; ++place) {
    const uint64_t v = take_leb128(at);
    place += static_cast<int64_t>(v >> 1);
    visit(place, (v & 1) != 0 ? static_cast<int64_t>(take_leb128(at)) : int64_t{1});
  }
}

}  // namespace spiketrain
