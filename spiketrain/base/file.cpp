// Whole-file reading and atomic writing; contracts in file.h.
#include "spiketrain/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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

ByteSpan text_bytes(const std::string& text) {
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
  file.write_all(text_bytes(text));
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
  write_file_atomic(path, {text_bytes(text)});
}

}  // namespace spiketrain
