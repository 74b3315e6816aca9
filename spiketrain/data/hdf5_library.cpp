#include "spiketrain/data/hdf5_library.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

constexpr H5Z_filter_t kLzf = 32000;  // h5py's number
/// Deflate packs at most 1032 to 1, LZF less.
constexpr uint64_t kMostPacked = 1032;

[[noreturn]] void refuse(const std::string& what, const std::string& why, const std::string& path) {
  throw DataError(path, 0, what + ": " + why);
}

/// a * b, but no more than `most` + 1.
uint64_t times(uint64_t a, uint64_t b, uint64_t most) {
  if (a == 0 || b == 0) return 0;
  return a > most / b ? most + 1 : a * b;
}

/// Texts and lists of variable length lie elsewhere; what is in their place is a length, an address and a number.
uint64_t element_bytes(hid_t set, const Hdf5Id& type) {
  if (H5Tget_class(type.get()) != H5T_VLEN && H5Tis_variable_str(type.get()) <= 0)
    return H5Tget_size(type.get());
  const Hdf5Id file(H5Iget_file_id(set)), made(H5Fget_create_plist(file.get()));
  size_t address = 8, length = 8;
  H5Pget_sizes(made.get(), &address, &length);
  return 8 + address;
}

std::vector<Hdf5Filter> filters_of(const Hdf5Id& made, const std::string& what, const std::string& path) {
  std::vector<Hdf5Filter> filters;
  int packing = 0;
  for (int i = 0; i < H5Pget_nfilters(made.get()); ++i) {
    unsigned flags = 0, config = 0, values[8] = {};
    size_t count = 8;
    char name[64] = {};
    const H5Z_filter_t id = H5Pget_filter2(made.get(), static_cast<unsigned>(i), &flags, &count, values,
                                           sizeof name - 1, name, &config);
    if (id == H5Z_FILTER_SHUFFLE) {
      if (count < 1 || values[0] == 0) refuse(what, "its shuffle filter says no size of elements", path);
      filters.push_back({Hdf5Filter::Kind::shuffle, values[0]});
    } else if (id == H5Z_FILTER_DEFLATE || id == kLzf) {
      filters.push_back({id == kLzf ? Hdf5Filter::Kind::lzf : Hdf5Filter::Kind::deflate});
      if (++packing > 1) refuse(what, "expected one compression, found several, one over the other", path);
    } else {
      refuse(what, str("packed by the filter ", id, " '", name, "', which is not known; write it with gzip"),
             path);
    }
  }
  return filters;
}

/// Its chunks, in the order of their places.  `visit` gets the place of a chunk's first element, and its bytes.
void each_chunk(hid_t set, const Hdf5Storage& storage, const std::string& what, const std::string& path,
                const std::function<void(const std::vector<hsize_t>&, const Bytes&)>& visit) {
  const size_t rank = storage.chunk.size();
  uint64_t size = storage.element;
  for (const hsize_t side : storage.chunk) size *= side;
  if (storage.elements == 0) return;
  std::vector<hsize_t> at(rank, 0);
  Bytes packed, bytes;
  while (true) {
    unsigned mask = 0;
    haddr_t place = HADDR_UNDEF;
    hsize_t stored = 0;
    if (H5Dget_chunk_info_by_coord(set, at.data(), &mask, &place, &stored) < 0 || place == HADDR_UNDEF)
      refuse(what, "a part of its values was never written, or is damaged", path);
    if (stored > storage.stored)
      refuse(what, "a chunk is larger than all of them; the file is damaged", path);
    packed.resize(stored);
    uint32_t skipped = 0;
    if (stored == 0 || H5Dread_chunk(set, H5P_DEFAULT, at.data(), &skipped, packed.data()) < 0)
      refuse(what, "cannot be read; the file is damaged", path);
    if (!unpack_hdf5_chunk(packed, storage.filters, skipped, size, bytes))
      refuse(what, str("a chunk does not unpack to its ", size, " bytes; the file is damaged"), path);
    visit(at, bytes);
    size_t d = rank;
    while (d > 0) {
      at[d - 1] += storage.chunk[d - 1];
      if (at[d - 1] < storage.shape[d - 1]) break;
      at[--d] = 0;
    }
    if (d == 0) return;
  }
}

/// The part of a chunk that is inside the shape, to its place.
void place_chunk(const Hdf5Storage& storage, const std::vector<hsize_t>& at, const Bytes& bytes,
                 uint8_t* out) {
  const size_t rank = at.size(), last = rank - 1;
  std::vector<hsize_t> inside(rank), index(rank, 0);
  for (size_t d = 0; d < rank; ++d) inside[d] = std::min(storage.chunk[d], storage.shape[d] - at[d]);
  while (true) {
    uint64_t from = 0, to = 0;
    for (size_t d = 0; d < rank; ++d) {
      from = from * storage.chunk[d] + index[d];
      to = to * storage.shape[d] + at[d] + index[d];
    }
    std::memcpy(out + to * storage.element, bytes.data() + from * storage.element,
                inside[last] * storage.element);
    size_t d = last;
    while (d > 0) {
      if (++index[d - 1] < inside[d - 1]) break;
      index[--d] = 0;
    }
    if (d == 0) return;
  }
}

}  // namespace

std::mutex& hdf5_library() {
  static std::mutex mutex;
  return mutex;
}

void* take_hdf5_block(size_t size, void* blocks) {
  auto& all = *static_cast<Hdf5Blocks*>(blocks);
  void* memory = size > all.left ? nullptr : std::malloc(size);
  if (!memory) return nullptr;
  all.left -= size;
  all.taken[memory] = size;
  return memory;
}

void give_hdf5_block(void* memory, void* blocks) {
  if (static_cast<Hdf5Blocks*>(blocks)->taken.erase(memory) > 0) std::free(memory);
}

Hdf5Storage hdf5_storage(hid_t set, uint64_t file_bytes, const std::string& what, const std::string& path) {
  const Hdf5Id type(H5Dget_type(set)), space(H5Dget_space(set)), made(H5Dget_create_plist(set));
  const int rank = space.ok() ? H5Sget_simple_extent_ndims(space.get()) : -1;
  if (!type.ok() || !made.ok() || rank < 0 || H5Sget_simple_extent_type(space.get()) == H5S_NULL)
    refuse(what, "has no shape, or cannot be read", path);
  Hdf5Storage storage;
  storage.shape.resize(static_cast<size_t>(rank));
  if (rank > 0) H5Sget_simple_extent_dims(space.get(), storage.shape.data(), nullptr);
  storage.element = element_bytes(set, type);
  storage.stored = H5Dget_storage_size(set);
  if (storage.stored > file_bytes) refuse(what, "says it is larger than the file", path);
  const uint64_t most = (storage.stored + 1) * kMostPacked;
  for (const hsize_t side : storage.shape) storage.elements = times(storage.elements, side, most);
  if (storage.element == 0 || times(storage.elements, storage.element, most) > most)
    refuse(what, "says it is larger than the file can hold", path);
  storage.unpacked = storage.bytes();
  const H5D_layout_t layout = H5Pget_layout(made.get());
  if (layout == H5D_VIRTUAL || H5Pget_external_count(made.get()) != 0)
    refuse(what, "expected its values in this file, not in another", path);
  if (layout != H5D_CHUNKED) {
    if (storage.stored != storage.bytes())
      refuse(what, str("expected ", storage.bytes(), " bytes of values, the file holds ", storage.stored),
             path);
    return storage;
  }
  storage.chunk.resize(storage.shape.size());
  if (rank == 0 || H5Pget_chunk(made.get(), rank, storage.chunk.data()) != rank)
    refuse(what, "its chunks have another shape than it has", path);
  unsigned plain_edges = 0;
  if (H5Pget_chunk_opts(made.get(), &plain_edges) < 0 || plain_edges != 0)
    refuse(what, "chunks at its edges are not packed as the others; write it without this option", path);
  storage.unpacked = storage.element;
  for (size_t d = 0; d < storage.shape.size(); ++d) {
    const hsize_t side = storage.shape[d], chunk = storage.chunk[d];
    if (chunk == 0) refuse(what, "has chunks of no size", path);
    const uint64_t count = side / chunk + (side % chunk != 0);
    storage.unpacked = times(storage.unpacked, times(count, chunk, most), most);
  }
  if (storage.unpacked > most) refuse(what, "has chunks larger than the file can hold", path);
  storage.filters = filters_of(made, what, path);
  return storage;
}

void read_hdf5(hid_t set, const Hdf5Storage& storage, uint8_t* out, const std::string& what,
               const std::string& path) {
  if (!storage.chunk.empty()) {
    each_chunk(set, storage, what, path, [&](const std::vector<hsize_t>& at, const Bytes& bytes) {
      place_chunk(storage, at, bytes, out);
    });
    return;
  }
  const Hdf5Id type(H5Dget_type(set));
  if (storage.elements > 0 && H5Dread(set, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
    refuse(what, "cannot be read; the file is damaged", path);
}

void check_hdf5_chunks(hid_t set, const Hdf5Storage& storage, const std::string& what,
                       const std::string& path) {
  if (storage.chunk.empty()) return;
  each_chunk(set, storage, what, path, [](const std::vector<hsize_t>&, const Bytes&) {});
}

}  // namespace spiketrain
