#include "spiketrain/base/lzf.h"

namespace spiketrain {

bool unpack_lzf(ByteSpan packed, size_t most, Bytes& out) {
  out.clear();
  size_t at = 0;
  const auto has = [&](size_t n) { return packed.size - at >= n; };
  while (at < packed.size) {
    const size_t control = packed.data[at++];
    if (control < 32) {
      const size_t length = control + 1;
      if (!has(length) || most - out.size() < length) return false;
      out.insert(out.end(), packed.data + at, packed.data + at + length);
      at += length;
      continue;
    }
    size_t length = (control >> 5) + 2;
    if (control >> 5 == 7) {
      if (!has(1)) return false;
      length += packed.data[at++];
    }
    if (!has(1)) return false;
    const size_t back = ((control & 31) << 8) + packed.data[at++] + 1;
    if (back > out.size() || most - out.size() < length) return false;
    for (size_t i = 0; i < length; ++i) out.push_back(out[out.size() - back]);  // it may overlap itself
  }
  return true;
}

}  // namespace spiketrain
