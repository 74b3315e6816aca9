// Source: the public description of the HDF5 format, version 3: superblock (II.A), global heap (III.E), references of variable-length data (IV.A.2.d).
#include "spiketrain/nir/hdf5_heap.h"

#include <algorithm>
#include <cstring>

#include "spiketrain/base/check.h"

namespace spiketrain::nir {
namespace {

constexpr size_t kHeapHeader = 16, kObjectHeader = 16;

uint64_t number(ByteSpan file, uint64_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | file.data[at + i];
  return value;
}

bool holds(ByteSpan file, uint64_t at, uint64_t bytes) { return at <= file.size && bytes <= file.size - at; }

[[noreturn]] void fail(const std::string& path, uint64_t at, const std::string& what) {
  throw DataError(path, at, what + "; the file is damaged");
}

}  // namespace

void check_hdf5(ByteSpan file, const std::string& path) {
  constexpr size_t kLeast = 16;
  const auto begins = [&](size_t at) {
    return holds(file, at, kLeast) && std::memcmp(file.data + at, "\211HDF\r\n\032\n", 8) == 0;
  };
  for (size_t at = 512; !begins(0) && at < file.size; at *= 2)
    if (begins(at))
      throw DataError(path, 0,
                      str("expected an HDF5 file without a user block, this one has ", at, " bytes"));
  if (!begins(0)) throw DataError(path, 0, "expected an HDF5 file");
  const size_t sizes = file.data[8] < 2 ? 13 : 9;  // by the version of the superblock
  if (file.data[sizes] != 8 || file.data[sizes + 1] != 8)
    throw DataError(path, sizes, "expected an HDF5 file with addresses and lengths of 8 bytes");
}

std::string heap_text(ByteSpan file, ByteSpan references, uint64_t at, const std::string& path) {
  if (!holds(references, at, kTextReference)) fail(path, file.size, "a text is referred to behind the end");
  const uint64_t length = number(references, at, 4), heap = number(references, at + 4, 8),
                 wanted = number(references, at + 12, 4);
  if (length == 0) return "";
  if (!holds(file, heap, kHeapHeader) || std::memcmp(file.data + heap, "GCOL", 4) != 0 ||
      file.data[heap + 4] != 1)
    fail(path, at, "a text is referred to where no collection of texts is");
  const uint64_t size = number(file, heap + 8, 8);
  if (!holds(file, heap, size)) fail(path, heap, "a collection of texts ends behind the end of the file");
  for (uint64_t place = heap + kHeapHeader, end = heap + size; place + kObjectHeader <= end;) {
    const uint64_t index = number(file, place, 2), bytes = number(file, place + 8, 8),
                   room = end - place - kObjectHeader;
    if (index == 0) break;  // free space, the rest
    if (bytes > room) fail(path, place, "a text is longer than the collection it is in");
    if (index == wanted) {
      if (bytes < length) fail(path, place, "a text is shorter than what refers to it says");
      const char* first = reinterpret_cast<const char*>(file.data + place + kObjectHeader);
      return std::string(first, std::find(first, first + length, '\0'));
    }
    const uint64_t padded = (bytes + 7) / 8 * 8;
    if (padded > room) break;
    place += kObjectHeader + padded;
  }
  fail(path, heap, str("a collection has no text ", wanted));
}

}  // namespace spiketrain::nir
