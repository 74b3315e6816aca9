#include "spiketrain/base/gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

constexpr uint8_t kGzip0 = 0x1f, kGzip1 = 0x8b;
constexpr size_t kHeaderBytes = 4096;  ///< enough for SizeInHeader
constexpr size_t kPiece = size_t{1} << 20;

bool all_zero(const uint8_t* begin, size_t size) {
  return std::all_of(begin, begin + size, [](uint8_t byte) { return byte == 0; });
}

/// Unpacks gzip streams, one after the other.
class Gunzip {
 public:
  Gunzip(const InputFile& packed, uint64_t max_bytes, const SizeInHeader& size_in_header,
         const std::function<void(ByteSpan)>& take)
      : packed_(packed), limit_(max_bytes), size_in_header_(size_in_header), take_(take), out_(kPiece) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::runtime_error("zlib cannot start");
  }
  ~Gunzip() { inflateEnd(&stream_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  void unpack() {
    while (true) {
      const int code = step();
      if (code == Z_STREAM_END) {
        if (only_zeros_left()) return finish();
        next_stream();
      } else if (code != Z_OK) {
        if (code == Z_BUF_ERROR && at() == packed_.size())
          throw DataError(packed_.path(), at(), "gzip stream ended early");
        throw DataError(packed_.path(), at(),
                        str("cannot unpack gzip: ", stream_.msg ? stream_.msg : "damaged stream"));
      }
    }
  }

 private:
  /// The next byte of the packed file.
  uint64_t at() const { return fetched_ - stream_.avail_in; }

  void fetch() {
    if (stream_.avail_in > 0) return;
    in_ = packed_.read(fetched_, std::min<uint64_t>(packed_.size() - fetched_, kPiece));
    fetched_ += in_.size();
    stream_.next_in = in_.data();
    stream_.avail_in = static_cast<uInt>(in_.size());
  }
  /// Unpacks what there is room for.
  int step() {
    fetch();
    if (out_.size() - filled_ < kPiece / 2) flush();
    const size_t room = out_.size() - filled_;
    stream_.next_out = out_.data() + filled_;
    stream_.avail_out = static_cast<uInt>(room);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    filled_ += room - stream_.avail_out;
    done_ += room - stream_.avail_out;
    check_size();
    return code;
  }
  void flush() {
    take_({out_.data(), filled_});
    filled_ = 0;
  }
  void check_size() {
    if (size_in_header_ && done_ >= kHeaderBytes) read_header();
    if (done_ <= limit_) return;
    throw DataError(
        packed_.path(), limit_,
        str("unpacks to more than ", limit_, declared_ ? " bytes, which its header declares" : " bytes"));
  }
  /// From now on the size that the header declares is the limit.  Nothing has been handed out yet.
  void read_header() {
    limit_ = std::min(limit_, std::exchange(size_in_header_, nullptr)({out_.data(), filled_}));
    declared_ = true;
  }
  void finish() {
    if (size_in_header_) read_header();
    flush();
  }
  /// Nothing, or what fills up a block of a tape.
  bool only_zeros_left() {
    fetch();
    if (!all_zero(stream_.next_in, stream_.avail_in)) return false;
    for (uint64_t from = fetched_; from < packed_.size(); from += kPiece) {
      const Bytes piece = packed_.read(from, std::min<uint64_t>(packed_.size() - from, kPiece));
      if (!all_zero(piece.data(), piece.size())) return false;
    }
    return true;
  }
  /// A file may hold several streams.
  void next_stream() {
    const uint64_t left = packed_.size() - at();
    const Bytes head = packed_.read(at(), std::min<uint64_t>(left, 2));
    if (head.size() < 2 || head[0] != kGzip0 || head[1] != kGzip1)
      throw DataError(packed_.path(), at(), str(left, " bytes that are no gzip follow the gzip stream"));
    inflateReset(&stream_);
  }

  const InputFile& packed_;
  uint64_t limit_;
  SizeInHeader size_in_header_;
  const std::function<void(ByteSpan)>& take_;
  bool declared_ = false;
  z_stream stream_{};
  Bytes in_, out_;
  size_t filled_ = 0;     ///< bytes in out_
  uint64_t done_ = 0;     ///< bytes unpacked
  uint64_t fetched_ = 0;  ///< bytes of the packed file that were read
};

}  // namespace

bool is_gzip(const InputFile& file) {
  if (file.size() < 2) return false;
  const Bytes head = file.read(0, 2);
  return head[0] == kGzip0 && head[1] == kGzip1;
}

void gunzip(const InputFile& packed, uint64_t max_bytes, const SizeInHeader& size_in_header,
            const std::function<void(ByteSpan)>& take) {
  Gunzip(packed, max_bytes, size_in_header, take).unpack();
}

Bytes read_gzip_or_plain(const std::string& path, uint64_t max_bytes, const SizeInHeader& size_in_header) {
  const InputFile file(path);
  if (is_gzip(file)) {
    Bytes bytes;
    gunzip(file, max_bytes, size_in_header, [&](ByteSpan piece) {
      const size_t before = bytes.size();
      bytes.resize(before + piece.size);
      std::copy_n(piece.data, piece.size, bytes.data() + before);
    });
    return bytes;
  }
  if (file.size() > max_bytes)
    throw DataError(path, max_bytes, str("expected at most ", max_bytes, " bytes, found ", file.size()));
  Bytes bytes = file.read(0, file.size());
  if (size_in_header)
    size_in_header(bytes);  // what it refuses is refused; other sizes are the parser's affair
  return bytes;
}

std::shared_ptr<const InputFile> open_gzip_or_plain(const std::string& path, uint64_t max_bytes,
                                                    const SizeInHeader& size_in_header) {
  auto file = std::make_shared<InputFile>(path);
  if (!is_gzip(*file)) {
    size_in_header(file->read(0, std::min<uint64_t>(file->size(), kHeaderBytes)));
    return file;
  }
  ScratchFile unpacked("what " + path + " unpacks to");
  gunzip(*file, max_bytes, size_in_header, [&](ByteSpan piece) { unpacked.append(piece); });
  return std::make_shared<InputFile>(path, std::move(unpacked));
}

}  // namespace spiketrain
