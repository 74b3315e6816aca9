// SHD and SSC through the HDF5 library; see shd.h.
// Vectors are allocated by us, at most eight times
// the size of the file (the widest conversion, from bytes to 64 bits), so that a bad length is refused.
#include "spiketrain/data/events/shd.h"

#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/data/hdf5_library.h"

namespace spiketrain {
namespace {

constexpr double kMaxSeconds = 1e9;

/// A one-dimensional data set of `count` elements; its number if count is -1.  Its chunks are whole.
Hdf5Id open_list(hid_t file, const char* name, int64_t& count, H5T_class_t kind, uint64_t file_bytes,
                 const std::string& path) {
  Hdf5Id data(H5Dopen2(file, name, H5P_DEFAULT));
  if (!data.ok()) throw DataError(path, 0, str("expected a data set ", name, "; is this SHD or SSC?"));
  const Hdf5Id space(H5Dget_space(data.get())), type(H5Dget_type(data.get()));
  if (!space.ok() || H5Sget_simple_extent_ndims(space.get()) != 1 || H5Tget_class(type.get()) != kind) {
    throw DataError(path, 0, str("the data set ", name, " has another form than in SHD and SSC"));
  }
  const auto found = static_cast<int64_t>(H5Sget_simple_extent_npoints(space.get()));
  if (count < 0) count = found;
  if (found != count)
    throw DataError(path, 0, str("expected ", count, " entries in ", name, ", found ", found));
  check_hdf5_chunks(data.get(), hdf5_storage(data.get(), file_bytes, name, path), name, path);
  return data;
}

/// Entry `index` of a list of vectors, converted to `native`, of type T.
template <class T>
std::vector<T> read_vector(const Hdf5Id& data, int64_t index, hid_t native, uint64_t max_bytes,
                           const std::string& path) {
  Hdf5Blocks blocks(max_bytes);
  const Hdf5Id type(H5Tvlen_create(native)), access(H5Pcreate(H5P_DATASET_XFER)),
      space(H5Dget_space(data.get()));
  const hsize_t start = static_cast<hsize_t>(index), one = 1;
  const Hdf5Id memory(H5Screate_simple(1, &one, nullptr));
  hvl_t entry{0, nullptr};
  bool good =
      H5Pset_vlen_mem_manager(access.get(), take_hdf5_block, &blocks, give_hdf5_block, &blocks) >= 0 &&
      H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &start, nullptr, &one, nullptr) >= 0 &&
      H5Dread(data.get(), type.get(), memory.get(), space.get(), access.get(), &entry) >= 0;
  good = good && (entry.len == 0 ||
                  (entry.len <= max_bytes / sizeof(T) && blocks.holds(entry.p, entry.len * sizeof(T))));
  if (!good) throw DataError(path, 0, str("recording ", index, " cannot be read"));
  const T* first = static_cast<const T*>(entry.p);
  return entry.len == 0 ? std::vector<T>() : std::vector<T>(first, first + entry.len);
}

}  // namespace

struct ShdFile::Handles {
  Hdf5Id file, times, units;
  uint64_t max_bytes = 0;
};

ShdFile::ShdFile(const std::string& path) : path_(path) {
  const uint64_t bytes = file_size(path);  // throws if it is missing
  const std::lock_guard<std::mutex> lock(hdf5_library());
  auto handles = std::make_unique<Handles>();  // in an error, closed while the lock is held
  silence_hdf5();
  handles->max_bytes = bytes * 8;
  handles->file = Hdf5Id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t file = handles->file.get();
  if (!handles->file.ok()) throw DataError(path, 0, "expected an HDF5 file");
  int64_t count = -1;
  const Hdf5Id labels = open_list(file, "labels", count, H5T_INTEGER, bytes, path);
  if (static_cast<uint64_t>(count) > bytes) throw DataError(path, 0, "more labels than the file has bytes");
  handles->times = open_list(file, "spikes/times", count, H5T_VLEN, bytes, path);
  handles->units = open_list(file, "spikes/units", count, H5T_VLEN, bytes, path);
  labels_.resize(static_cast<size_t>(count));
  if (count > 0 && H5Dread(labels.get(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels_.data()) < 0)
    throw DataError(path, 0, "the labels cannot be read");
  for (const int64_t label : labels_) {
    if (label < 0) throw DataError(path, 0, str("expected labels from 0 on, found ", label));
  }
  handles_ = std::move(handles);
}

ShdFile::~ShdFile() {
  const std::lock_guard<std::mutex> lock(hdf5_library());
  handles_.reset();
}

ShdFile::ShdFile(ShdFile&&) noexcept = default;

ShdFile& ShdFile::operator=(ShdFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(handles_, other.handles_);
  std::swap(labels_, other.labels_);
  return *this;
}

int64_t ShdFile::label(int64_t index) const {
  ST_CHECK(index >= 0 && index < size(), "SHD: expected an index below ", size(), ", found ", index);
  return labels_[static_cast<size_t>(index)];
}

EventStream ShdFile::events(int64_t index) const {
  label(index);  // checks the index
  std::vector<double> times;
  std::vector<int64_t> units;
  {
    const std::lock_guard<std::mutex> lock(hdf5_library());
    silence_hdf5();
    times = read_vector<double>(handles_->times, index, H5T_NATIVE_DOUBLE, handles_->max_bytes, path_);
    units = read_vector<int64_t>(handles_->units, index, H5T_NATIVE_INT64, handles_->max_bytes, path_);
  }
  if (times.size() != units.size()) {
    throw DataError(
        path_, 0, str("recording ", index, " has ", times.size(), " times and ", units.size(), " channels"));
  }
  EventStream stream{kChannels, 1, {}};
  stream.events.reserve(times.size());
  for (size_t i = 0; i < times.size(); ++i) {
    if (!(times[i] >= 0 && times[i] <= kMaxSeconds) || units[i] < 0 || units[i] >= kChannels) {
      throw DataError(
          path_, 0, str("recording ", index, ", spike ", i, ": channel ", units[i], " at ", times[i], " s"));
    }
    stream.events.push_back({std::llround(times[i] * 1e6), static_cast<uint16_t>(units[i]), 0, 1});
  }
  return stream;
}

}  // namespace spiketrain
