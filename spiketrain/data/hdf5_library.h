// What every use of the HDF5 library shares.  For files that include hdf5.h (see INCLUDE_DIRECTORIES in spiketrain/CMakeLists.txt).
#pragma once
#include <hdf5.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/base/hdf5_filters.h"

namespace spiketrain {

/// One lock for the whole library, which is not thread safe.
std::mutex& hdf5_library();

/// Any HDF5 identifier; the library counts references by kind itself.
class Hdf5Id {
 public:
  Hdf5Id() = default;
  explicit Hdf5Id(hid_t id) : id_(id) {}
  ~Hdf5Id() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  Hdf5Id(Hdf5Id&& other) noexcept : id_(other.id_) { other.id_ = -1; }
  Hdf5Id& operator=(Hdf5Id&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  hid_t get() const { return id_; }
  bool ok() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
};

/// Name for files in memory: HDF5 refuses one that exists, and nothing can exist below a device.
constexpr const char* kHdf5InMemory = "/dev/null/memory";

/// Without the library's messages on stderr.
inline void silence_hdf5() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

/// Memory that HDF5 takes for one read.  What a failed read leaves in its result need be no pointer at all, so only blocks that were
/// handed out are read or freed.
struct Hdf5Blocks {
  uint64_t left;                  ///< bytes that may still be taken
  std::map<void*, size_t> taken;  ///< size of each
  explicit Hdf5Blocks(uint64_t max_bytes) : left(max_bytes) {}
  ~Hdf5Blocks() {
    for (const auto& block : taken) std::free(block.first);
  }
  bool holds(void* memory, uint64_t bytes) const {
    const auto block = taken.find(memory);
    return block != taken.end() && bytes <= block->second;
  }
};

/// For H5Pset_vlen_mem_manager().
void* take_hdf5_block(size_t size, void* blocks);
void give_hdf5_block(void* memory, void* blocks);

/// How a data set lies in its file, checked against what this library reads.
struct Hdf5Storage {
  std::vector<hsize_t> shape;       ///< empty: one element
  std::vector<hsize_t> chunk;       ///< empty: in one piece
  std::vector<Hdf5Filter> filters;  ///< in the order in which they packed a chunk
  uint64_t elements = 1;
  uint64_t element = 1;   ///< bytes of one in the file
  uint64_t stored = 0;    ///< bytes in the file
  uint64_t unpacked = 0;  ///< bytes of all elements, chunks that stick out of the shape whole

  uint64_t bytes() const { return elements * element; }
};

/// Nothing of the values is read, so sizes may be checked first.  DataError, which begins with `what`: virtual or external values, values that
/// were never written, filters other than at most one compressing one and shuffle, sizes that no file of `file_bytes` can hold.
Hdf5Storage hdf5_storage(hid_t set, uint64_t file_bytes, const std::string& what, const std::string& path);
/// All values as they lie in the file, row by row, to `out`, of Hdf5Storage::bytes().  DataError if a chunk is missing, damaged, or not of its size.
void read_hdf5(hid_t set, const Hdf5Storage& storage, uint8_t* out, const std::string& what,
               const std::string& path);
/// Unpacks every chunk and lets go of it: H5Dread(), which believes that they are whole, may be called then.  DataError as read_hdf5().
void check_hdf5_chunks(hid_t set, const Hdf5Storage& storage, const std::string& what,
                       const std::string& path);

}  // namespace spiketrain
