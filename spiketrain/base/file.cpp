// Whole-file reading and atomic writing; contracts in file.h.
#include "spiketrain/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

[[noreturn]] void fail(const std::string& path, const char* action, uint64_t offset = 0) {
  throw SystemError(path, action, errno, offset);
}

std::function<void(FileStep, const std::string&)>& file_hook() {
  static std::function<void(FileStep, const std::string&)> hook;
  return hook;
}

/// Owns a file descriptor; close errors matter only when writing and are checked by close().
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : path_(path) {
    if (flags & O_CREAT) before_step(FileStep::create, path);
    fd_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (fd_ < 0) fail(path, "open");
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  void sync(FileStep step) {
    before_step(step, path_);
    if (::fsync(fd_) != 0) fail(path_, "sync");
  }
  void close() {
    before_step(FileStep::close, path_);
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0) fail(path_, "close");
  }
  void write_all(ByteSpan bytes) {
    while (bytes.size > 0) {
      before_step(FileStep::write, path_);
      const ssize_t n = ::write(fd_, bytes.data, std::min<size_t>(bytes.size, size_t{1} << 30));
      if (n < 0 && errno == EINTR) continue;
      if (n == 0) errno = ENOSPC;  // a write of nothing would be tried for ever
      if (n <= 0) fail(path_, "write");
      bytes.data += n;
      bytes.size -= static_cast<size_t>(n);
    }
  }

 private:
  std::string path_;
  int fd_ = -1;
};

constexpr uint8_t kGzip0 = 0x1f, kGzip1 = 0x8b;
constexpr size_t kHeaderBytes = 4096;  ///< enough for SizeInHeader

/// Unpacks gzip streams, one after the other.
class Gunzip {
 public:
  Gunzip(const std::string& path, const Bytes& packed, uint64_t max_bytes, const SizeInHeader& size_in_header)
      : path_(path), packed_(packed), limit_(max_bytes), size_in_header_(size_in_header) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::runtime_error("zlib cannot start");
  }
  ~Gunzip() { inflateEnd(&stream_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  Bytes unpack() {
    while (true) {
      const int code = step();
      if (code == Z_STREAM_END) {
        if (only_zeros_left()) return finished();
        next_stream();
      } else if (code != Z_OK) {
        if (code == Z_BUF_ERROR && at_ == packed_.size())
          throw DataError(path_, at_, "gzip stream ended early");
        throw DataError(path_, at_,
                        str("cannot unpack gzip: ", stream_.msg ? stream_.msg : "damaged stream"));
      }
    }
  }

 private:
  /// Unpacks up to a chunk.  The room for it is made once, not for each of many small streams.
  int step() {
    constexpr size_t kStep = size_t{1} << 20;
    if (bytes_.size() - done_ < kStep / 2) bytes_.resize(done_ + kStep);
    const size_t room = std::min(bytes_.size() - done_, kStep);
    stream_.next_out = bytes_.data() + done_;
    stream_.avail_out = static_cast<uInt>(room);
    stream_.next_in = const_cast<uint8_t*>(packed_.data()) + at_;
    const size_t given = std::min<size_t>(packed_.size() - at_, size_t{1} << 30);
    stream_.avail_in = static_cast<uInt>(given);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    at_ += given - stream_.avail_in;
    done_ += room - stream_.avail_out;
    check_size();
    return code;
  }
  void check_size() {
    if (size_in_header_ && done_ >= kHeaderBytes) read_header();
    if (done_ <= limit_) return;
    throw DataError(
        path_, limit_,
        str("unpacks to more than ", limit_, declared_ ? " bytes, which its header declares" : " bytes"));
  }
  /// From now on the size that the header declares is the limit.
  void read_header() {
    limit_ = std::min(limit_, std::exchange(size_in_header_, nullptr)({bytes_.data(), done_}));
    declared_ = true;
  }
  Bytes finished() {
    if (size_in_header_) read_header();
    bytes_.resize(done_);
    return std::move(bytes_);
  }
  /// Nothing, or what fills up a block of a tape.
  bool only_zeros_left() const {
    return std::all_of(packed_.begin() + static_cast<std::ptrdiff_t>(at_), packed_.end(),
                       [](uint8_t byte) { return byte == 0; });
  }
  /// A file may hold several streams.
  void next_stream() {
    const size_t left = packed_.size() - at_;
    if (left < 2 || packed_[at_] != kGzip0 || packed_[at_ + 1] != kGzip1)
      throw DataError(path_, at_, str(left, " bytes that are no gzip follow the gzip stream"));
    inflateReset(&stream_);
  }

  const std::string& path_;
  const Bytes& packed_;
  uint64_t limit_;
  SizeInHeader size_in_header_;
  bool declared_ = false;
  z_stream stream_{};
  Bytes bytes_;
  size_t done_ = 0;  ///< bytes unpacked
  size_t at_ = 0;    ///< in packed_
};

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// A name that was made, changed or removed is on disk when its folder is.
void sync_folder_of(const std::string& path) {
  Descriptor folder(folder_of(path), O_RDONLY | O_DIRECTORY);
  folder.sync(FileStep::sync_folder);
}

ByteSpan bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

void set_file_hook(std::function<void(FileStep step, const std::string& path)> hook) {
  file_hook() = std::move(hook);
}

void before_step(FileStep step, const std::string& path) {
  if (file_hook()) file_hook()(step, path);
}

bool file_exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

uint64_t file_size(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) fail(path, "open");
  if (!S_ISREG(info.st_mode)) throw DataError(path, 0, "expected a regular file");
  return static_cast<uint64_t>(info.st_size);
}

Bytes read_file(const std::string& path, uint64_t max_bytes) {
  const uint64_t size = file_size(path);
  if (size > max_bytes)
    throw DataError(path, max_bytes, str("expected at most ", max_bytes, " bytes, found ", size));
  Descriptor file(path, O_RDONLY);
  Bytes bytes(size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        ::read(file.get(), bytes.data() + done, std::min<size_t>(bytes.size() - done, size_t{1} << 30));
    if (n < 0) {
      if (errno == EINTR) continue;
      fail(path, "read", done);
    }
    if (n == 0) throw DataError(path, done, str("file ended early, expected ", size, " bytes"));
    done += static_cast<size_t>(n);
  }
  return bytes;
}

Bytes read_gzip_or_plain(const std::string& path, uint64_t max_bytes, const SizeInHeader& size_in_header) {
  // What does not compress becomes a little longer.
  const uint64_t most = max_bytes > UINT64_MAX / 2 ? max_bytes : max_bytes + max_bytes / 1000 + 1024;
  const Bytes packed = read_file(path, most);
  const bool gzip = packed.size() >= 2 && packed[0] == kGzip0 && packed[1] == kGzip1;
  if (!gzip && packed.size() > max_bytes)
    throw DataError(path, max_bytes, str("expected at most ", max_bytes, " bytes, found ", packed.size()));
  if (gzip) return Gunzip(path, packed, max_bytes, size_in_header).unpack();
  if (size_in_header)
    size_in_header(packed);  // what it refuses is refused; other sizes are the parser's affair
  return packed;
}

void rename_durably(const std::string& from, const std::string& to) {
  before_step(FileStep::rename, to);
  if (std::rename(from.c_str(), to.c_str()) != 0) fail(to, "rename the finished file");
  sync_folder_of(to);
}

void remove_durably(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return sync_folder_of(path);
  if (errno != ENOENT) fail(path, "remove");
}

uint64_t append_durably(const std::string& path, const std::string& text) {
  const bool made = !file_exists(path);
  Descriptor file(path, O_WRONLY | O_CREAT | O_APPEND);
  file.write_all(bytes_of(text));
  file.sync(FileStep::sync);
  file.close();
  if (made) sync_folder_of(path);
  return file_size(path);
}

FileLock::FileLock(const std::string& path, const std::string& what)
    : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (fd_ < 0) fail(path, "open");
  // Whoever only looks whether it is locked (run_status) holds it for microseconds.
  for (int tries = 0; tries < 20; ++tries) {
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    ::usleep(5000);
  }
  ::close(fd_);
  throw UsageError(what + " is in use by another process");
}

FileLock::~FileLock() { ::close(fd_); }

void write_file_atomic(const std::string& path, const std::vector<ByteSpan>& parts) {
  static std::atomic<uint64_t> serial{0};
  const std::string temporary = str(path, ".tmp.", ::getpid(), ".", serial++);
  try {
    Descriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL);
    for (const ByteSpan& part : parts) file.write_all(part);
    file.sync(FileStep::sync);
    file.close();
    rename_durably(temporary, path);
  } catch (const std::exception&) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void write_file_atomic(const std::string& path, const std::string& text) {
  write_file_atomic(path, {bytes_of(text)});
}

}  // namespace spiketrain
