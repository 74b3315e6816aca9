// Writing of NIR files by libhdf5, into memory first, then in one piece.
#include <algorithm>
#include <limits>

#include "spiketrain/base/check.h"
#include "spiketrain/data/hdf5_library.h"
#include "spiketrain/nir/file.h"

namespace spiketrain {
namespace {

constexpr uint64_t kMaxChunk = uint64_t{1} << 24;  ///< elements

class FileWriter {
 public:
  explicit FileWriter(std::string path) : path_(std::move(path)) {
    const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS)), create(H5Pcreate(H5P_FILE_CREATE));
    H5Pset_fapl_core(access.get(), size_t{1} << 20, false);
    H5Pset_obj_track_times(create.get(), false);
    file_ = Hdf5Id(H5Fcreate(kHdf5InMemory, H5F_ACC_TRUNC, create.get(), access.get()));
    good(file_.ok());
    text_ = Hdf5Id(H5Tcopy(H5T_C_S1));
    good(H5Tset_size(text_.get(), H5T_VARIABLE) >= 0 && H5Tset_cset(text_.get(), H5T_CSET_UTF8) >= 0);
  }

  Bytes file(const NirGraph& graph) {
    text(file_.get(), "version", graph.version);
    const Hdf5Id root = group(file_.get(), "node");
    write(root.get(), graph);
    good(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) >= 0);
    const ssize_t size = H5Fget_file_image(file_.get(), nullptr, 0);
    good(size > 0);
    Bytes bytes(static_cast<size_t>(size));
    good(H5Fget_file_image(file_.get(), bytes.data(), bytes.size()) == size);
    return bytes;
  }

 private:
  void good(bool done) const {
    if (!done) throw DataError(path_, 0, "the graph cannot be written as HDF5");
  }

  Hdf5Id group(hid_t parent, const std::string& name) const {
    const Hdf5Id create(H5Pcreate(H5P_GROUP_CREATE));
    H5Pset_obj_track_times(create.get(), false);
    Hdf5Id made(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, create.get(), H5P_DEFAULT));
    good(made.ok());
    return made;
  }

  Hdf5Id set(hid_t parent, const std::string& name, hid_t type, const Hdf5Id& space,
             const Hdf5Id& create) const {
    H5Pset_obj_track_times(create.get(), false);
    Hdf5Id made(H5Dcreate2(parent, name.c_str(), type, space.get(), H5P_DEFAULT, create.get(), H5P_DEFAULT));
    good(space.ok() && made.ok());
    return made;
  }

  void text(hid_t parent, const std::string& name, const std::string& value) const {
    const Hdf5Id space(H5Screate(H5S_SCALAR)), create(H5Pcreate(H5P_DATASET_CREATE));
    const Hdf5Id made = set(parent, name, text_.get(), space, create);
    const char* pointer = value.c_str();
    good(H5Dwrite(made.get(), text_.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, &pointer) >= 0);
  }

  static hid_t type_of(const NirArray& array) {
    return array.type == NirArray::Type::f32   ? H5T_IEEE_F32LE
           : array.type == NirArray::Type::f64 ? H5T_IEEE_F64LE
                                               : H5T_STD_I64LE;
  }

  void array(hid_t parent, const std::string& name, const NirArray& array) const {
    const std::vector<hsize_t> sides(array.shape.begin(), array.shape.end());
    const Hdf5Id create(H5Pcreate(H5P_DATASET_CREATE));
    const Hdf5Id space(sides.empty()
                           ? H5Screate(H5S_SCALAR)
                           : H5Screate_simple(static_cast<int>(sides.size()), sides.data(), nullptr));
    if (!sides.empty() && !array.values.empty()) {
      std::vector<hsize_t> chunk = sides;
      for (hsize_t& side : chunk) {
        uint64_t count = 1;
        for (const hsize_t other : chunk) count *= other;
        if (count > kMaxChunk) side = std::max<hsize_t>(1, side * kMaxChunk / count);
      }
      good(H5Pset_chunk(create.get(), static_cast<int>(chunk.size()), chunk.data()) >= 0 &&
           H5Pset_deflate(create.get(), 4) >= 0);
    }
    const Hdf5Id made = set(parent, name, type_of(array), space, create);
    if (!array.values.empty())
      good(H5Dwrite(made.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()) >= 0);
  }

  void write(hid_t parent, const NirValues& values) const {
    for (const auto& [name, value] : values.arrays) array(parent, name, value);
    for (const auto& [name, value] : values.texts) text(parent, name, value);
  }

  void metadata(hid_t parent, const NirValues& values) const {
    if (values.empty()) return;
    const Hdf5Id inner = group(parent, "metadata");
    write(inner.get(), values);
  }

  void edges(hid_t parent, const NirGraph& graph) const {
    const hsize_t sides[2] = {graph.edges.size(), 2};
    const Hdf5Id space(H5Screate_simple(2, sides, nullptr)), create(H5Pcreate(H5P_DATASET_CREATE));
    const Hdf5Id made = set(parent, "edges", text_.get(), space, create);
    std::vector<const char*> names;
    for (const auto& [from, to] : graph.edges) {
      names.push_back(from.c_str());
      names.push_back(to.c_str());
    }
    good(H5Dwrite(made.get(), text_.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, names.data()) >= 0);
  }

  void write(hid_t parent, const NirGraph& graph) const {
    text(parent, "type", "NIRGraph");
    edges(parent, graph);
    metadata(parent, graph.metadata);
    const Hdf5Id nodes = group(parent, "nodes");
    for (const auto& [name, node] : graph.nodes) {
      const Hdf5Id inner = group(nodes.get(), name);
      if (node.graph) {
        write(inner.get(), *node.graph);
        continue;
      }
      text(inner.get(), "type", node.type);
      write(inner.get(), node.fields);
      metadata(inner.get(), node.metadata);
    }
  }

  std::string path_;
  Hdf5Id file_, text_;
};

/// Names that HDF5 takes for paths would come back as others.
void check_names(const NirGraph& graph) {
  for (const auto& [name, node] : graph.nodes) {
    ST_CHECK(!name.empty() && name != "." && name.find('/') == std::string::npos &&
                 name.find('\0') == std::string::npos,
             "node '", name, "': expected a name without '/', got this one");
    if (node.graph) check_names(*node.graph);
  }
}

}  // namespace

void write_nir(const std::string& path, const NirGraph& graph) {
  check_nir(graph);
  check_names(graph);
  Bytes bytes;
  {
    const std::lock_guard<std::mutex> lock(hdf5_library());
    silence_hdf5();
    bytes = FileWriter(path).file(graph);
  }
  write_file_atomic(path, {bytes});
}

}  // namespace spiketrain
