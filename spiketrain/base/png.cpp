#include "spiketrain/base/png.h"

#include <zlib.h>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

std::string big_endian(uint64_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

std::string chunk(const std::string& kind, const std::string& data) {
  const std::string body = kind + data;
  const uint64_t crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(data.size()) + body + big_endian(crc);
}

}  // namespace

std::string grey_png(int64_t width, int64_t height, const std::vector<uint8_t>& pixels) {
  ST_ASSERT(width > 0 && height > 0 && static_cast<int64_t>(pixels.size()) == width * height);
  std::string rows;
  for (int64_t y = 0; y < height; ++y) {
    rows += '\0';  // no filter
    rows.append(reinterpret_cast<const char*>(pixels.data()) + y * width, static_cast<size_t>(width));
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  ST_ASSERT(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(rows.data()), static_cast<uLong>(rows.size())) == Z_OK);
  packed.resize(size);
  const std::string grey8 = {8, 0, 0, 0,
                             0};  // bits, colours, and the only ways of packing, filtering and order
  const std::string head =
      big_endian(static_cast<uint64_t>(width)) + big_endian(static_cast<uint64_t>(height)) + grey8;
  return "\x89PNG\r\n\x1A\n" + chunk("IHDR", head) + chunk("IDAT", packed) + chunk("IEND", "");
}

}  // namespace spiketrain
