// Source: the public description of the HDF5 format, version 3: superblock (II.A), global heap (III.E).
#include "spiketrain/nir/hdf5_guard.h"

#include <cstring>

#include "spiketrain/base/check.h"

namespace spiketrain::nir {
namespace {

constexpr size_t kHeapHeader = 16, kObjectHeader = 16, kLeastHeap = 4096;

uint64_t number(const uint8_t* at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | at[i];
  return value;
}

/// The collection that begins at `at`; bytes that only look like one are of no version or of an impossible size.
void check_heap(ByteSpan file, size_t at, const std::string& path) {
  const uint64_t size = number(file.data + at + 8, 8);
  if (file.data[at + 4] != 1 || size < kLeastHeap || size > file.size - at) return;
  size_t place = at + kHeapHeader;
  const size_t end = at + static_cast<size_t>(size);
  while (place + kObjectHeader <= end) {
    const bool used = number(file.data + place, 2) != 0;
    const uint64_t length = number(file.data + place + 8, 8), room = end - place;
    const bool fits = length <= room && (!used || (length + 7) / 8 * 8 <= room - kObjectHeader);
    if (!fits || (!used && length == 0))
      throw DataError(path, place,
                      str("a text of ", length, " bytes where ", room, " are left; the file is damaged"));
    place += used ? kObjectHeader + static_cast<size_t>((length + 7) / 8 * 8) : static_cast<size_t>(length);
  }
}

}  // namespace

void check_hdf5(ByteSpan file, const std::string& path) {
  constexpr size_t kLeast = 16;
  if (file.size < kLeast || std::memcmp(file.data, "\211HDF\r\n\032\n", 8) != 0)
    throw DataError(path, 0, "expected an HDF5 file");
  const size_t sizes = file.data[8] < 2 ? 13 : 9;  // by the version of the superblock
  if (file.data[sizes] != 8 || file.data[sizes + 1] != 8)
    throw DataError(path, sizes, "expected an HDF5 file with addresses and lengths of 8 bytes");
  for (size_t at = 0; at + kHeapHeader <= file.size; ++at) {
    const void* next = std::memchr(file.data + at, 'G', file.size - kHeapHeader - at + 1);
    if (!next) return;
    at = static_cast<size_t>(static_cast<const uint8_t*>(next) - file.data);
    if (std::memcmp(file.data + at, "GCOL", 4) == 0) check_heap(file, at, path);
  }
}

}  // namespace spiketrain::nir
