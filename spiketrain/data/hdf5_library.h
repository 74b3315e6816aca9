// What every use of the HDF5 library shares.  For files that include hdf5.h (see INCLUDE_DIRECTORIES in spiketrain/CMakeLists.txt).
#pragma once
#include <hdf5.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

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

}  // namespace spiketrain
