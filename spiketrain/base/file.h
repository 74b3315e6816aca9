// Whole-file reading (plain or gzip, always bounded), atomic and durable writing, locks.
// Tests: unit/file_test.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace spiketrain {

using Bytes = std::vector<uint8_t>;

/// Bytes owned by someone else.
struct ByteSpan {
  const uint8_t* data = nullptr;
  size_t size = 0;
  ByteSpan() = default;
  ByteSpan(const uint8_t* data, size_t size) : data(data), size(size) {}
  ByteSpan(const Bytes& bytes) : data(bytes.data()), size(bytes.size()) {}  // NOLINT: meant to convert
};

/// Size in bytes; DataError if `path` is missing or no regular file.
uint64_t file_size(const std::string& path);

/// True for an existing regular file.
bool file_exists(const std::string& path);

/// The whole file; SystemError if it is missing or unreadable, DataError if larger than max_bytes (checked before
/// allocating).
Bytes read_file(const std::string& path, uint64_t max_bytes = UINT64_MAX);

/// Reads the size of a whole file from its first bytes (4 KiB, or all there are).  May throw DataError.
using SizeInHeader = std::function<uint64_t(ByteSpan head)>;

/// The whole file, unpacked if it is gzip; DataError as above, max_bytes bounding the unpacked size, and if anything
/// but zeros follows the gzip.  With `size_in_header` no more is unpacked than the header declares.
Bytes read_gzip_or_plain(const std::string& path, uint64_t max_bytes,
                         const SizeInHeader& size_in_header = nullptr);

/// What is about to be done to a file that is written.
enum class FileStep { create, write, sync, close, rename, sync_folder };
/// For tests: `hook` is called before every such step of the functions below and of a run's metrics; what it throws
/// stands for a failure (std::exception) or for the end of the process (anything else: nothing is cleaned up).  Null:
/// none.  Not while files are being written.
void set_file_hook(std::function<void(FileStep step, const std::string& path)> hook);
/// For whoever writes files in another way: calls the hook.
void before_step(FileStep step, const std::string& path);

/// Writes the parts one after the other to a temporary file beside `path`, syncs it, renames it over `path`
/// and syncs the folder: after a crash `path` holds the old bytes or the new ones.  DataError on any failure.
void write_file_atomic(const std::string& path, const std::vector<ByteSpan>& parts);

/// The same for one text.
void write_file_atomic(const std::string& path, const std::string& text);

/// What these do is on disk when they return.  DataError on failure.
void rename_durably(const std::string& from, const std::string& to);
/// What does not exist is removed.
void remove_durably(const std::string& path);
/// Appends, and returns the file's new length.
uint64_t append_durably(const std::string& path, const std::string& text);

/// Holds a file against other processes while it lives.
class FileLock {
 public:
  /// Makes the file if need be.  UsageError "`what` is in use by another process".
  FileLock(const std::string& path, const std::string& what);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace spiketrain
