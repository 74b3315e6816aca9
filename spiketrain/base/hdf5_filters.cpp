#include "spiketrain/base/hdf5_filters.h"

#include <zlib.h>

#include <limits>
#include <stdexcept>

#include "spiketrain/base/lzf.h"

namespace spiketrain {
namespace {

bool undo_deflate(ByteSpan packed, size_t size, Bytes& out) {
  constexpr size_t kMost = std::numeric_limits<uInt>::max() - size_t{1};
  if (size > kMost || packed.size > kMost) return false;
  out.resize(size + 1);  // one more, so that a longer stream shows
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) throw std::runtime_error("zlib cannot start");
  stream.next_in = const_cast<uint8_t*>(packed.data);
  stream.avail_in = static_cast<uInt>(packed.size);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  out.resize(size);
  return whole;
}

bool undo_lzf(ByteSpan packed, size_t size, Bytes& out) {
  return unpack_lzf(packed, size, out) && out.size() == size;
}

bool undo_shuffle(ByteSpan packed, size_t element, Bytes& out) {
  if (element == 0) return false;
  const size_t count = packed.size / element;
  out.assign(packed.data, packed.data + packed.size);
  for (size_t byte = 0; byte < element; ++byte)
    for (size_t i = 0; i < count; ++i) out[i * element + byte] = packed.data[byte * count + i];
  return true;
}

}  // namespace

bool unpack_hdf5_chunk(ByteSpan stored, const std::vector<Hdf5Filter>& filters, uint32_t skipped, size_t size,
                       Bytes& out) {
  Bytes before(stored.data, stored.data + stored.size);
  for (size_t i = filters.size(); i-- > 0;) {
    if (i < 32 && (skipped >> i & 1) != 0) continue;
    const Hdf5Filter& filter = filters[i];
    const bool good = filter.kind == Hdf5Filter::Kind::deflate ? undo_deflate(before, size, out)
                      : filter.kind == Hdf5Filter::Kind::lzf   ? undo_lzf(before, size, out)
                                                               : undo_shuffle(before, filter.element, out);
    if (!good) return false;
    before.swap(out);
  }
  out = std::move(before);
  return out.size() == size;
}

}  // namespace spiketrain
