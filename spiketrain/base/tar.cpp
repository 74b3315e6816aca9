// Bounded reading of tar archives; format and contracts in tar.h.
#include "spiketrain/base/tar.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

constexpr size_t kBlock = 512;
using Block = std::array<uint8_t, kBlock>;

/// The source with a position and a limit.
class Stream {
 public:
  Stream(const ByteSource& source, uint64_t limit, const std::string& path)
      : source_(source), limit_(limit), path_(path) {}

  uint64_t position() const { return position_; }
  void read(uint8_t* out, size_t n) {
    if (n > limit_ - position_)
      throw DataError(path_, limit_, str("archive unpacks to more than ", limit_, " bytes"));
    const size_t got = source_(out, n);
    if (got != n) throw DataError(path_, position_ + got, "archive ended early");
    position_ += n;
  }
  void skip(uint64_t n) {
    std::array<uint8_t, 16 * kBlock> waste;
    while (n > 0) {
      const size_t step = static_cast<size_t>(std::min<uint64_t>(n, waste.size()));
      read(waste.data(), step);
      n -= step;
    }
  }

 private:
  const ByteSource& source_;
  const uint64_t limit_;
  const std::string& path_;
  uint64_t position_ = 0;
};

std::string text_field(const Block& block, size_t begin, size_t size) {
  const char* first = reinterpret_cast<const char*>(block.data()) + begin;
  return std::string(first, strnlen(first, size));
}

/// Octal digits, padded by spaces before and spaces or zero bytes behind.
uint64_t octal_field(const Block& block, size_t begin, size_t size, const std::string& path, uint64_t at) {
  uint64_t value = 0;
  size_t i = begin;
  while (i < begin + size && block[i] == ' ') ++i;
  const size_t first = i;
  for (; i < begin + size && block[i] >= '0' && block[i] <= '7'; ++i) value = value * 8 + (block[i] - '0');
  if (i == first || (i < begin + size && block[i] != ' ' && block[i] != 0)) {
    throw DataError(path, at + begin, "expected an octal number in a tar header");
  }
  return value;  // at most 12 digits, so it cannot overflow
}

struct Header {
  std::string name;
  uint64_t bytes = 0;
  bool regular = false;
};

Header parse_header(const Block& block, const std::string& path, uint64_t at) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? uint8_t{' '} : block[i];
  if (octal_field(block, 148, 8, path, at) != sum)
    throw DataError(path, at + 148, "tar header has a wrong checksum");
  if (text_field(block, 257, 5) != "ustar") throw DataError(path, at + 257, "not a ustar archive");
  Header header;
  header.name = text_field(block, 0, 100);
  // GNU archives keep other things in the prefix field and mark themselves by a space after "ustar".
  const std::string prefix = block[262] == 0 ? text_field(block, 345, 155) : "";
  if (!prefix.empty()) header.name = prefix + "/" + header.name;
  if (header.name.compare(0, 2, "./") == 0) header.name.erase(0, 2);
  header.bytes = octal_field(block, 124, 12, path, at);
  header.regular = block[156] == '0' || block[156] == 0;
  return header;
}

}  // namespace

void read_tar(const ByteSource& source, const std::map<std::string, uint64_t>& wanted, uint64_t max_total,
              const std::string& path, const TarSink& sink) {
  Stream stream(source, max_total, path);
  std::map<std::string, bool> found;
  while (true) {
    const uint64_t at = stream.position();
    Block block;
    stream.read(block.data(), kBlock);
    if (std::all_of(block.begin(), block.end(), [](uint8_t b) { return b == 0; })) break;
    const Header header = parse_header(block, path, at);
    const uint64_t padding = (kBlock - header.bytes % kBlock) % kBlock;
    const auto want = wanted.find(header.name);
    if (!header.regular || want == wanted.end()) {
      stream.skip(header.bytes + padding);
      continue;
    }
    if (header.bytes != want->second) {
      throw DataError(path, at + 124,
                      str("expected ", want->second, " bytes of ", header.name, ", found ", header.bytes));
    }
    if (found[header.name]) throw DataError(path, at, str(header.name, " is in the archive twice"));
    found[header.name] = true;
    Bytes bytes(static_cast<size_t>(header.bytes));
    stream.read(bytes.data(), bytes.size());
    stream.skip(padding);
    sink(header.name, bytes);
  }
  for (const auto& [name, bytes] : wanted) {
    if (!found[name]) throw DataError(path, stream.position(), str("archive has no member ", name));
  }
}

void read_tar_gz(const std::string& path, const std::map<std::string, uint64_t>& wanted, uint64_t max_total,
                 const TarSink& sink) {
  file_size(path);
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw SystemError(path, "open", errno);
  gzbuffer(file.get(), 1u << 17);
  const ByteSource source = [&](uint8_t* out, size_t n) {
    size_t done = 0;
    while (done < n) {
      const int got =
          gzread(file.get(), out + done, static_cast<unsigned>(std::min<size_t>(n - done, size_t{1} << 24)));
      if (got < 0) throw DataError(path, done, "cannot unpack gzip");
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  };
  read_tar(source, wanted, max_total, path, sink);
}

}  // namespace spiketrain
