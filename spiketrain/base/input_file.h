// Files that are read in pieces, so that what they hold need not fit into memory, and files without a name to put such
// pieces into.
// Read with pread, not through a memory map: a file that has become shorter is an error that names it and not the signal
// SIGBUS, no address space is needed, and pages that the system keeps are as quick to get at either way.
// Tests: unit/input_file_test.cpp, unit/large_data_test.cpp.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "spiketrain/base/file.h"

namespace spiketrain {

/// An open file, closed with the object.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) : fd_(fd) {}
  ~FileHandle();
  FileHandle(FileHandle&& other) noexcept;
  FileHandle& operator=(FileHandle&& other) noexcept;
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// A file without a name in the folder for temporary files (TMPDIR, else /tmp): it is gone with the process, whatever
/// ends that.  What is appended may be read at once.  All functions may be called from many threads, and by a process and
/// its forks.
class ScratchFile {
 public:
  /// `what` is put into it: SystemError "cannot put `what` into a temporary file ...".
  explicit ScratchFile(std::string what);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  /// Returns the place of the first byte.
  uint64_t append(ByteSpan bytes);
  /// Bytes [offset, offset + bytes) of what was appended.
  void read(uint64_t offset, size_t bytes, uint8_t* out) const;
  /// A hint that these bytes are read soon.
  void will_read(uint64_t offset, size_t bytes) const;

 private:
  friend class InputFile;
  std::string folder_, what_;
  FileHandle file_;
  std::atomic<uint64_t>* end_;  // shared with forks
};

/// A file that stays open and is read wherever it is wanted.  Whoever renames another over it changes nothing here; whoever
/// writes into it ends the reading with an error, since what was read before may no longer belong to the rest.
class InputFile {
 public:
  /// SystemError if it is missing or unreadable, DataError if it is no regular file.
  explicit InputFile(const std::string& path);
  /// What `path` unpacked to.
  InputFile(std::string path, ScratchFile&& unpacked);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  /// Bytes [offset, offset + bytes).  Callable from many threads.  DataError if the file is shorter than that, or was
  /// written to since it was opened; SystemError if it cannot be read.
  void read(uint64_t offset, size_t bytes, uint8_t* out) const;
  Bytes read(uint64_t offset, size_t bytes) const;
  /// A hint that these bytes are read soon: the disk may bring them meanwhile.
  void will_read(uint64_t offset, size_t bytes) const;

 private:
  void remember_state();
  void check_range(uint64_t offset, size_t bytes) const;
  std::string path_;
  FileHandle file_;
  uint64_t size_ = 0;
  int64_t written_s_ = 0, written_ns_ = 0;  // when it was last written to
};

}  // namespace spiketrain
