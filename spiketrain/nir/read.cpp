// Reading of NIR files by libhdf5, from memory.  Sizes are checked against what the file can hold before anything is allocated.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "spiketrain/base/check.h"
#include "spiketrain/data/hdf5_library.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/hdf5_heap.h"
#include "spiketrain/nir/lzf.h"

namespace spiketrain {
namespace {

constexpr H5Z_filter_t kLzf = 32000;  // h5py's number
constexpr uint64_t kMaxFile = uint64_t{1} << 34;
/// Deflate packs at most 1032 to 1, LZF less.
constexpr uint64_t kMostPacked = 1032;
constexpr size_t kMaxDepth = 32, kMaxObjects = 1000000;

/// For H5Zregister.  The chunk's size is the third parameter, as h5py writes it.
size_t lzf_filter(unsigned flags, size_t count, const unsigned* values, size_t size, size_t* capacity,
                  void** buffer) {
  if (!(flags & H5Z_FLAG_REVERSE)) return 0;
  const size_t most = count >= 3 && values[2] > 0 ? values[2] : kMostPacked * size;
  Bytes out;
  if (!nir::unpack_lzf({static_cast<const uint8_t*>(*buffer), size}, most, out) || out.empty()) return 0;
  void* memory = H5allocate_memory(out.size(), false);
  if (!memory) return 0;
  std::memcpy(memory, out.data(), out.size());
  H5free_memory(*buffer);
  *buffer = memory;
  *capacity = out.size();
  return out.size();
}

void know_lzf() {
  static const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, kLzf, 0, 1, "lzf", nullptr, nullptr, lzf_filter};
  if (H5Zfilter_avail(kLzf) <= 0) H5Zregister(&filter);
}

/// Names of a group's members, sorted.
herr_t note_name(hid_t /*group*/, const char* name, const H5L_info_t* info, void* list) {
  if (info->type != H5L_TYPE_HARD) return -1;  // links out of the file, or to elsewhere in it
  auto& names = *static_cast<std::vector<std::string>*>(list);
  if (names.size() >= kMaxObjects) return -1;
  names.emplace_back(name);
  return 0;
}

class Reader {
 public:
  Reader(ByteSpan file, std::string path) : image_(file), path_(std::move(path)) {
    const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS));
    if (H5Pset_fapl_core(access.get(), size_t{1} << 16, false) < 0 ||
        H5Pset_file_image(access.get(), const_cast<uint8_t*>(file.data), file.size) < 0)
      fail("", "cannot be held in memory");
    file_ = Hdf5Id(H5Fopen(kHdf5InMemory, H5F_ACC_RDONLY, access.get()));
    if (!file_.ok()) fail("", "expected an HDF5 file");
  }

  NirGraph graph() {
    const Hdf5Id root = open_group(file_.get(), "node", "");
    NirGraph graph;
    if (H5Lexists(file_.get(), "version", H5P_DEFAULT) > 0)
      graph.version = text(file_.get(), "version", "version");
    const NirNode node = this->node(root.get(), "", 0);
    if (!node.graph) fail("", "its root is a node of type " + node.type + "; expected NIRGraph");
    graph.nodes = node.graph->nodes;
    graph.edges = node.graph->edges;
    graph.metadata = node.metadata;
    return graph;
  }

 private:
  [[noreturn]] void fail(const std::string& node, const std::string& what) const {
    throw DataError(path_, 0, node.empty() ? what : "node '" + node + "': " + what);
  }

  Hdf5Id open_group(hid_t parent, const std::string& name, const std::string& where) const {
    const bool there = H5Lexists(parent, name.c_str(), H5P_DEFAULT) > 0;
    Hdf5Id group(there ? H5Gopen2(parent, name.c_str(), H5P_DEFAULT) : hid_t{-1});
    if (!group.ok()) fail(where, "has no group '" + name + "'; is this a NIR graph?");
    return group;
  }

  std::vector<std::string> members(hid_t group, const std::string& where) {
    std::vector<std::string> names;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, note_name, &names) < 0)
      fail(where, "its members cannot be listed");
    objects_ += names.size();
    if (objects_ > kMaxObjects) fail(where, str("more than ", kMaxObjects, " members in all"));
    std::sort(names.begin(), names.end());
    return names;
  }

  bool is_group(hid_t parent, const std::string& name, const std::string& where) const {
    const Hdf5Id object(H5Oopen(parent, name.c_str(), H5P_DEFAULT));
    const H5I_type_t kind = object.ok() ? H5Iget_type(object.get()) : H5I_BADID;
    if (kind != H5I_GROUP && kind != H5I_DATASET)
      fail(where, "'" + name + "' cannot be opened; expected what HDF5 1.10 reads (h5py: libver=\"v110\")");
    return kind == H5I_GROUP;
  }

  NirNode node(hid_t group, const std::string& name, size_t depth) {
    if (depth > kMaxDepth) fail(name, str("graphs are nested more than ", kMaxDepth, " deep"));
    NirNode node;
    if (H5Lexists(group, "type", H5P_DEFAULT) <= 0) fail(name.empty() ? "root" : name, "has no type");
    node.type = text(group, "type", name);
    const bool graph = node.type == "NIRGraph";
    if (graph) node.graph = std::make_shared<NirGraph>();
    for (const std::string& member : members(group, name)) {
      if (member == "type") continue;
      if (member == "metadata") {
        const Hdf5Id inner = open_group(group, member, name);
        values(inner.get(), "", name, node.metadata);
      } else if (graph && member == "nodes") {
        nested(group, name, depth, *node.graph);
      } else if (graph && member == "edges") {
        node.graph->edges = edges(group, name);
      } else if (graph && (member == "input_type" || member == "output_type")) {
        continue;  // what some versions note besides; the nodes say it
      } else {
        if (is_group(group, member, name)) fail(name, "'" + member + "' is a group; expected a field");
        value(group, member, member, name, node.fields);
      }
    }
    return node;
  }

  void nested(hid_t group, const std::string& name, size_t depth, NirGraph& graph) {
    const Hdf5Id nodes = open_group(group, "nodes", name);
    for (const std::string& member : members(nodes.get(), name)) {
      const std::string path = name.empty() ? member : name + "/" + member;
      const Hdf5Id inner = open_group(nodes.get(), member, path);
      graph.nodes.emplace_back(member, node(inner.get(), path, depth + 1));
    }
  }

  /// Everything in a group of metadata; what is in groups of it is called "group/name".
  void values(hid_t group, const std::string& prefix, const std::string& where, NirValues& into,
              size_t depth = 0) {
    if (depth > kMaxDepth) fail(where, "metadata are nested too deep");
    for (const std::string& member : members(group, where)) {
      if (is_group(group, member, where)) {
        const Hdf5Id inner = open_group(group, member, where);
        values(inner.get(), prefix + member + "/", where, into, depth + 1);
      } else {
        value(group, member, prefix + member, where, into);
      }
    }
  }

  struct Data {
    Hdf5Id set, type, space;
    H5T_class_t kind = H5T_NO_CLASS;
    H5D_layout_t layout = H5D_LAYOUT_ERROR;
    std::vector<int64_t> shape;
    uint64_t count = 1;
  };

  Data open(hid_t group, const std::string& name, const std::string& where) const {
    Data data;
    data.set = Hdf5Id(H5Dopen2(group, name.c_str(), H5P_DEFAULT));
    if (!data.set.ok())
      fail(where, "'" + name + "' cannot be opened; expected a data set in a format that HDF5 1.10 reads");
    data.type = Hdf5Id(H5Dget_type(data.set.get()));
    data.space = Hdf5Id(H5Dget_space(data.set.get()));
    data.kind = H5Tget_class(data.type.get());
    const int rank = data.space.ok() ? H5Sget_simple_extent_ndims(data.space.get()) : -1;
    if (rank < 0 || rank > 8 || H5Sget_simple_extent_type(data.space.get()) == H5S_NULL)
      fail(where, "'" + name + "' has no shape that a field can have");
    hsize_t sides[H5S_MAX_RANK] = {};
    H5Sget_simple_extent_dims(data.space.get(), sides, nullptr);
    const uint64_t each = std::max<uint64_t>(1, H5Tget_size(data.type.get()));
    const uint64_t most = (H5Dget_storage_size(data.set.get()) * kMostPacked + kMostPacked) / each;
    for (int i = 0; i < rank; ++i) {
      if (sides[i] != 0 && data.count > most / sides[i])
        fail(where, "'" + name + "' says it is larger than the file can hold");
      data.count *= sides[i];
      data.shape.push_back(static_cast<int64_t>(sides[i]));
    }
    if (data.count > most) fail(where, "'" + name + "' says it is larger than the file can hold");
    check_storage(data, name, where);
    return data;
  }

  /// A chunk is unpacked as a whole: it must not be larger than what is left of its data set, rounded up.
  void check_storage(Data& data, const std::string& name, const std::string& where) const {
    const Hdf5Id made(H5Dget_create_plist(data.set.get()));
    if (!made.ok()) fail(where, "'" + name + "' cannot be read");
    data.layout = H5Pget_layout(made.get());
    if (data.layout == H5D_VIRTUAL || H5Pget_external_count(made.get()) != 0)
      fail(where, "'" + name + "': expected its values in this file, not in another");
    if (data.layout != H5D_CHUNKED) return;
    hsize_t chunk[H5S_MAX_RANK] = {};
    const int rank = H5Pget_chunk(made.get(), H5S_MAX_RANK, chunk);
    uint64_t bytes = std::max<uint64_t>(1, H5Tget_size(data.type.get()));
    const uint64_t most = std::max<uint64_t>(uint64_t{1} << 20, kMostPacked * image_.size);
    for (int i = 0; i < rank; ++i) {
      if (chunk[i] == 0 || bytes > most / chunk[i])
        fail(where, "'" + name + "' has chunks larger than the file can hold");
      bytes *= chunk[i];
    }
    for (int i = 0; i < H5Pget_nfilters(made.get()); ++i) {
      unsigned flags = 0, config = 0;
      size_t values = 0;
      char filter[64] = {};
      const H5Z_filter_t id = H5Pget_filter2(made.get(), static_cast<unsigned>(i), &flags, &values, nullptr,
                                             sizeof filter - 1, filter, &config);
      if (id < 0 || H5Zfilter_avail(id) <= 0)
        fail(where, str("'", name, "' is packed by the filter ", id, " '", filter,
                        "', which is not known; write it with gzip"));
    }
  }

  void value(hid_t group, const std::string& name, const std::string& key, const std::string& where,
             NirValues& into) {
    const Data data = open(group, name, where);
    if (data.kind == H5T_STRING && data.shape.empty()) {
      into.texts[key] = texts(data, name, where).at(0);
    } else if (data.kind == H5T_STRING) {
      std::string all;
      for (const std::string& line : texts(data, name, where)) all += (all.empty() ? "" : "\n") + line;
      into.texts[key] = all;
    } else {
      into.arrays[key] = numbers(data, name, where);
    }
  }

  NirArray numbers(const Data& data, const std::string& name, const std::string& where) const {
    NirArray array;
    const bool real = data.kind == H5T_FLOAT, whole = data.kind == H5T_INTEGER || data.kind == H5T_ENUM;
    if (!real && !whole) fail(where, "'" + name + "': expected numbers or text");
    array.type = whole                               ? NirArray::Type::i64
                 : H5Tget_size(data.type.get()) <= 4 ? NirArray::Type::f32
                                                     : NirArray::Type::f64;
    array.shape = data.shape;
    array.values.resize(data.count);
    // Truth values are an enumeration, which does not become a number by itself.
    Hdf5Id memory(data.kind == H5T_ENUM ? H5Tget_super(data.type.get()) : H5Tcopy(H5T_NATIVE_DOUBLE));
    if (data.kind == H5T_ENUM) return enumeration(data, memory, std::move(array), name, where);
    if (data.count > 0 &&
        H5Dread(data.set.get(), memory.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()) < 0)
      fail(where, "'" + name + "' cannot be read; the file is damaged");
    return array;
  }

  NirArray enumeration(const Data& data, const Hdf5Id& base, NirArray array, const std::string& name,
                       const std::string& where) const {
    if (H5Tget_size(base.get()) != 1 || H5Tget_size(data.type.get()) != 1)
      fail(where, "'" + name + "': expected numbers or text");
    Bytes bytes(data.count);
    if (data.count > 0 &&
        H5Dread(data.set.get(), data.type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0)
      fail(where, "'" + name + "' cannot be read; the file is damaged");
    std::copy(bytes.begin(), bytes.end(), array.values.begin());
    return array;
  }

  std::string text(hid_t group, const std::string& name, const std::string& where) const {
    const Data data = open(group, name, where);
    if (data.kind != H5T_STRING || !data.shape.empty()) fail(where, "'" + name + "': expected a text");
    return texts(data, name, where).at(0);
  }

  /// All elements of a data set of texts.
  std::vector<std::string> texts(const Data& data, const std::string& name, const std::string& where) const {
    return H5Tis_variable_str(data.type.get()) > 0 ? variable(data, name, where) : fixed(data, name, where);
  }

  std::vector<std::string> fixed(const Data& data, const std::string& name, const std::string& where) const {
    const size_t length = H5Tget_size(data.type.get());
    std::vector<char> bytes(data.count * length);
    if (!bytes.empty() &&
        H5Dread(data.set.get(), data.type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0)
      fail(where, "'" + name + "' cannot be read; the file is damaged");
    std::vector<std::string> list;
    const bool spaces = H5Tget_strpad(data.type.get()) == H5T_STR_SPACEPAD;
    for (uint64_t i = 0; i < data.count; ++i) {
      const char* first = bytes.data() + i * length;
      std::string one(first, std::find(first, first + length, '\0'));
      while (spaces && !one.empty() && one.back() == ' ') one.pop_back();
      list.push_back(std::move(one));
    }
    return list;
  }

  std::vector<std::string> variable(const Data& data, const std::string& name,
                                    const std::string& where) const {
    std::vector<std::string> list;
    if (data.count == 0) return list;
    const haddr_t first = H5Dget_offset(data.set.get());
    if (data.layout != H5D_CONTIGUOUS || first == HADDR_UNDEF)
      fail(where, "'" + name + "': expected texts in one piece, not in chunks or in a header");
    for (uint64_t i = 0; i < data.count; ++i)
      list.push_back(nir::heap_text(image_, first + i * nir::kTextReference, path_));
    return list;
  }

  std::vector<std::pair<std::string, std::string>> edges(hid_t group, const std::string& where) const {
    const Data data = open(group, "edges", where);
    std::vector<std::pair<std::string, std::string>> edges;
    if (data.count == 0) return edges;
    if (data.kind != H5T_STRING || data.shape.size() != 2 || data.shape[1] != 2)
      fail(where.empty() ? "root" : where, "edges: expected texts of the shape [E, 2]");
    const std::vector<std::string> names = texts(data, "edges", where);
    for (size_t i = 0; i < names.size(); i += 2) edges.emplace_back(names[i], names[i + 1]);
    return edges;
  }

  ByteSpan image_;
  std::string path_;
  Hdf5Id file_;
  size_t objects_ = 0;
};

}  // namespace

NirGraph parse_nir(ByteSpan file, const std::string& path) {
  nir::check_hdf5(file, path);
  const std::lock_guard<std::mutex> lock(hdf5_library());
  silence_hdf5();
  know_lzf();
  return Reader(file, path).graph();
}

NirGraph read_nir(const std::string& path) {
  NirGraph graph = parse_nir(read_file(path, kMaxFile), path);
  try {
    check_nir(graph);
  } catch (const UsageError& error) {
    throw DataError(path, 0, error.what());
  }
  return graph;
}

}  // namespace spiketrain
