#include "spiketrain/base/input_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

constexpr size_t kMostAtOnce = size_t{1} << 30;

/// Bytes that were there to read.
size_t read_at(int fd, const std::string& path, uint64_t offset, size_t bytes, uint8_t* out) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n =
        ::pread(fd, out + done, std::min(bytes - done, kMostAtOnce), static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(path, "read", errno, offset + done);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

struct stat state_of(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw SystemError(path, "read", errno);
  return info;
}

void hint(int fd, uint64_t offset, size_t bytes) {
  if (bytes == 0) return;  // which would stand for all that follows
  ::posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

SystemError no_room(const std::string& folder, const std::string& what, int code) {
  return {folder, str("put ", what, " into a temporary file in this folder (TMPDIR says where)"), code};
}

std::atomic<uint64_t>* make_shared_counter() {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  void* page = ::mmap(nullptr, sizeof(std::atomic<uint64_t>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  return new (page) std::atomic<uint64_t>(0);
}

}  // namespace

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

FileHandle::FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

ScratchFile::ScratchFile(std::string what) : what_(std::move(what)), end_(make_shared_counter()) {
  const char* folder = std::getenv("TMPDIR");
  folder_ = folder && *folder ? folder : "/tmp";
  std::string name = folder_ + "/spiketrain-XXXXXX";
  file_ = FileHandle(::mkostemp(name.data(), O_CLOEXEC));
  if (file_.get() < 0 || ::unlink(name.c_str()) != 0) {
    const int code = errno;
    ::munmap(end_, sizeof *end_);
    throw no_room(folder_, what_, code);
  }
}

ScratchFile::~ScratchFile() { ::munmap(end_, sizeof *end_); }

uint64_t ScratchFile::append(ByteSpan bytes) {
  const uint64_t begin = end_->fetch_add(bytes.size);
  for (uint64_t at = begin; bytes.size > 0;) {
    const ssize_t n =
        ::pwrite(file_.get(), bytes.data, std::min(bytes.size, kMostAtOnce), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw no_room(folder_, what_, n < 0 ? errno : ENOSPC);
    bytes.data += n;
    bytes.size -= static_cast<size_t>(n);
    at += static_cast<uint64_t>(n);
  }
  return begin;
}

void ScratchFile::read(uint64_t offset, size_t bytes, uint8_t* out) const {
  if (read_at(file_.get(), folder_, offset, bytes, out) != bytes)
    throw DataError(folder_, offset,
                    str("a temporary file with ", what_, " is shorter than what was put into it"));
}

void ScratchFile::will_read(uint64_t offset, size_t bytes) const { hint(file_.get(), offset, bytes); }

InputFile::InputFile(const std::string& path) : path_(path) {
  file_size(path);  // refuses what is no file; opening a pipe would wait for its other end
  file_ = FileHandle(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file_.get() < 0) throw SystemError(path, "open", errno);
  remember_state();
}

InputFile::InputFile(std::string path, ScratchFile&& unpacked)
    : path_(std::move(path)), file_(std::move(unpacked.file_)) {
  remember_state();
}

void InputFile::remember_state() {
  const struct stat info = state_of(file_.get(), path_);
  size_ = static_cast<uint64_t>(info.st_size);
  written_s_ = info.st_mtim.tv_sec;
  written_ns_ = info.st_mtim.tv_nsec;
}

void InputFile::check_range(uint64_t offset, size_t bytes) const {
  if (offset <= size_ && bytes <= size_ - offset) return;
  throw DataError(path_, size_,
                  str("expected ", bytes, " bytes from byte ", offset, " on, the file ends here"));
}

void InputFile::read(uint64_t offset, size_t bytes, uint8_t* out) const {
  check_range(offset, bytes);
  const size_t done = read_at(file_.get(), path_, offset, bytes, out);
  // Afterwards: what was read is then from before any change.
  const struct stat now = state_of(file_.get(), path_);
  const auto size = static_cast<uint64_t>(now.st_size);
  if (size != size_ || now.st_mtim.tv_sec != written_s_ || now.st_mtim.tv_nsec != written_ns_) {
    throw DataError(path_, 0,
                    str("was written to after it had been opened (", size_, " bytes then, ", size,
                        " now); start again, or resume the run"));
  }
  if (done < bytes)
    throw DataError(path_, offset + done, str("file ended early, expected ", size_, " bytes"));
}

Bytes InputFile::read(uint64_t offset, size_t bytes) const {
  check_range(offset, bytes);  // before anything is allocated
  Bytes result(bytes);
  read(offset, bytes, result.data());
  return result;
}

void InputFile::will_read(uint64_t offset, size_t bytes) const { hint(file_.get(), offset, bytes); }

}  // namespace spiketrain
