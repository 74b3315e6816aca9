// LZ4 and zstd frames through the libraries of those names; see unpack.h.
#include "spiketrain/data/events/unpack.h"

#include <lz4frame.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <memory>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

[[noreturn]] void throw_too_large(uint64_t max_bytes, size_t offset, const std::string& path) {
  throw DataError(path, offset, str("the packet unpacks to more than ", max_bytes, " bytes"));
}

}  // namespace

Bytes unpack_lz4(ByteSpan packed, uint64_t max_bytes, size_t offset, const std::string& path) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) throw std::bad_alloc();
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(raw,
                                                                             LZ4F_freeDecompressionContext);
  Bytes out(std::min<uint64_t>(max_bytes, packed.size * 4 + 64));
  size_t in_used = 0, out_used = 0, hint = 1;
  while (hint != 0 || in_used < packed.size) {
    size_t in_now = packed.size - in_used, out_now = out.size() - out_used;
    hint = LZ4F_decompress(raw, out.data() + out_used, &out_now, packed.data + in_used, &in_now, nullptr);
    if (LZ4F_isError(hint))
      throw DataError(path, offset, str("damaged LZ4 frame: ", LZ4F_getErrorName(hint)));
    in_used += in_now;
    out_used += out_now;
    if (hint == 0) continue;
    if (out_used == out.size()) {
      if (out.size() == max_bytes) throw_too_large(max_bytes, offset, path);
      out.resize(std::min<uint64_t>(max_bytes, out.size() * 2));
    } else if (in_now == 0 && out_now == 0) {
      throw DataError(path, offset, "the LZ4 frame is incomplete");
    }
  }
  out.resize(out_used);
  return out;
}

Bytes unpack_zstd(ByteSpan packed, uint64_t max_bytes, size_t offset, const std::string& path) {
  // Whole frames at once: a stream would allocate the window that a frame asks for, however small the frame
  // is.
  const unsigned long long stated = ZSTD_getFrameContentSize(packed.data, packed.size);
  if (stated == ZSTD_CONTENTSIZE_ERROR) throw DataError(path, offset, "damaged or incomplete zstd frame");
  const bool known = stated != ZSTD_CONTENTSIZE_UNKNOWN;
  if (known && stated > max_bytes) throw_too_large(max_bytes, offset, path);
  Bytes out(known ? stated : std::min<uint64_t>(max_bytes, packed.size * 4 + 64));
  while (true) {
    const size_t size = ZSTD_decompress(out.data(), out.size(), packed.data, packed.size);
    if (!ZSTD_isError(size)) {
      out.resize(size);
      return out;
    }
    if (ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall)
      throw DataError(path, offset, str("damaged zstd frame: ", ZSTD_getErrorName(size)));
    if (out.size() == max_bytes) throw_too_large(max_bytes, offset, path);
    out.resize(std::min<uint64_t>(max_bytes, out.size() * 2 + 64));
  }
}

}  // namespace spiketrain
