// Reading of NIR files by libhdf5, from memory.  Sizes are checked against what the file can hold before anything is allocated.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "spiketrain/base/check.h"
#include "spiketrain/data/hdf5_library.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/hdf5_heap.h"

namespace spiketrain {
namespace {

constexpr uint64_t kMaxFile = uint64_t{1} << 34;
/// Of all data sets together, unpacked, numbers as doubles: 2^28 numbers.
constexpr uint64_t kMaxUnpacked = uint64_t{1} << 31;
constexpr size_t kMaxText = size_t{1} << 26;  ///< bytes of all texts; many places may refer to one
constexpr size_t kMaxNesting = 32, kMaxObjects = 1000000, kMaxRank = 8;

struct Members {
  std::vector<std::string> names;
  std::string link;  ///< the first that is a link out of the file, or to elsewhere in it
};

herr_t note_name(hid_t /*group*/, const char* name, const H5L_info_t* info, void* list) {
  auto& members = *static_cast<Members*>(list);
  if (info->type != H5L_TYPE_HARD) members.link = name;
  if (info->type != H5L_TYPE_HARD || members.names.size() >= kMaxObjects) return -1;
  members.names.emplace_back(name);
  return 0;
}

class FileReader {
 public:
  FileReader(ByteSpan file, std::string path) : image_(file), path_(std::move(path)) {
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
    graph.metadata = node.graph->metadata;
    graph.unread = std::move(unread_);
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

  /// Names of a group's members, sorted.
  std::vector<std::string> members(hid_t group, const std::string& where) {
    Members found;
    const bool listed = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, note_name, &found) >= 0;
    if (!found.link.empty())
      fail(where, "'" + found.link + "' is a soft or external link; expected what it leads to itself");
    if (!listed) fail(where, "its members cannot be listed");
    std::vector<std::string>& names = found.names;
    objects_ += names.size();
    if (objects_ > kMaxObjects) fail(where, str("more than ", kMaxObjects, " members in all"));
    std::sort(names.begin(), names.end());
    return std::move(names);
  }

  bool is_group(hid_t parent, const std::string& name, const std::string& where) const {
    const Hdf5Id object(H5Oopen(parent, name.c_str(), H5P_DEFAULT));
    const H5I_type_t kind = object.ok() ? H5Iget_type(object.get()) : H5I_BADID;
    if (kind != H5I_GROUP && kind != H5I_DATASET)
      fail(where, "'" + name + "' cannot be opened; expected what HDF5 1.10 reads (h5py: libver=\"v110\")");
    return kind == H5I_GROUP;
  }

  NirNode node(hid_t group, const std::string& name, size_t depth) {
    if (depth > kMaxNesting) fail(name, str("graphs are nested more than ", kMaxNesting, " deep"));
    NirNode node;
    if (H5Lexists(group, "type", H5P_DEFAULT) <= 0) fail(name.empty() ? "root" : name, "has no type");
    node.type = text(group, "type", name);
    const bool graph = node.type == "NIRGraph";
    if (graph) node.graph = std::make_shared<NirGraph>();
    for (const std::string& member : members(group, name)) {
      if (member == "type") continue;
      if (member == "metadata") {
        metadata(group, name, graph ? node.graph->metadata : node.metadata);
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

  void metadata(hid_t group, const std::string& where, NirValues& into) {
    if (!is_group(group, "metadata", where)) return leave(where, "metadata", "is a data set, not a group");
    const Hdf5Id inner = open_group(group, "metadata", where);
    values(inner.get(), "", where, into);
  }

  void leave(const std::string& where, const std::string& name, const std::string& why) {
    unread_.push_back((where.empty() ? "" : "node '" + where + "': ") + "metadata '" + name + "' " + why +
                      "; left aside");
  }

  /// Why there are no numbers or texts in a data set; empty: there are.
  static std::string unreadable(hid_t group, const std::string& name) {
    const Hdf5Id set(H5Dopen2(group, name.c_str(), H5P_DEFAULT));
    const Hdf5Id type(H5Dget_type(set.get())), space(H5Dget_space(set.get()));
    if (H5Sget_simple_extent_type(space.get()) == H5S_NULL) return "is empty";
    const H5T_class_t kind = H5Tget_class(type.get());
    const bool known = kind == H5T_STRING || kind == H5T_INTEGER || kind == H5T_FLOAT ||
                       (kind == H5T_ENUM && H5Tget_size(type.get()) == 1);
    if (!known || (kind != H5T_STRING && H5Tget_size(type.get()) > sizeof(double)))
      return "holds neither numbers nor texts";
    return "";
  }

  /// Everything in a group of metadata; what is in groups of it is called "group/name".
  void values(hid_t group, const std::string& prefix, const std::string& where, NirValues& into,
              size_t depth = 0) {
    if (depth > kMaxNesting) fail(where, "metadata are nested too deep");
    for (const std::string& member : members(group, where)) {
      if (is_group(group, member, where)) {
        const Hdf5Id inner = open_group(group, member, where);
        values(inner.get(), prefix + member + "/", where, into, depth + 1);
      } else if (const std::string why = unreadable(group, member); !why.empty()) {
        leave(where, prefix + member, why);
      } else {
        value(group, member, prefix + member, where, into);
      }
    }
  }

  struct Data {
    Hdf5Id set, type;
    H5T_class_t kind = H5T_NO_CLASS;
    Hdf5Storage storage;
    std::string what;  ///< "node 'a': 'b'", for messages
    std::vector<int64_t> shape() const { return {storage.shape.begin(), storage.shape.end()}; }
  };

  Data open(hid_t group, const std::string& name, const std::string& where) {
    Data data;
    data.what = (where.empty() ? "" : "node '" + where + "': ") + "'" + name + "'";
    data.set = Hdf5Id(H5Dopen2(group, name.c_str(), H5P_DEFAULT));
    if (!data.set.ok())
      fail(where, "'" + name + "' cannot be opened; expected a data set in a format that HDF5 1.10 reads");
    data.type = Hdf5Id(H5Dget_type(data.set.get()));
    data.kind = H5Tget_class(data.type.get());
    data.storage = hdf5_storage(data.set.get(), image_.size, data.what, path_);
    if (data.storage.shape.size() > kMaxRank)
      fail(where, "'" + name + "' has too many dimensions for a field");
    spend(data);
    return data;
  }

  /// One data set may have many names, and be read under each.
  void spend(const Data& data) {
    stored_ += data.storage.stored;
    if (stored_ > image_.size)
      throw DataError(path_, 0,
                      data.what + ": the data sets are larger than the file; some have several names");
    const uint64_t each = std::max<uint64_t>(1, sizeof(double) / data.storage.element);
    if (data.storage.unpacked > (kMaxUnpacked - unpacked_) / each)
      throw DataError(path_, 0, str(data.what, ": more than ", kMaxUnpacked >> 30, " GiB of values in all"));
    unpacked_ += data.storage.unpacked * each;
  }

  void value(hid_t group, const std::string& name, const std::string& key, const std::string& where,
             NirValues& into) {
    const Data data = open(group, name, where);
    if (data.kind != H5T_STRING) {
      into.arrays[key] = numbers(data);
      return;
    }
    std::string all;
    for (const std::string& line : texts(data)) all += (all.empty() ? "" : "\n") + line;
    into.texts[key] = all;
  }

  [[noreturn]] void fail(const Data& data, const std::string& why) const {
    throw DataError(path_, 0, data.what + ": " + why);
  }

  NirArray numbers(const Data& data) const {
    NirArray array;
    // Truth values are an enumeration, which does not become a number by itself.
    const bool real = data.kind == H5T_FLOAT, whole = data.kind == H5T_INTEGER, named = data.kind == H5T_ENUM;
    const size_t size = H5Tget_size(data.type.get()), count = data.storage.elements;
    if ((!real && !whole && !named) || size > sizeof(double) || (named && size != 1))
      fail(data, "expected numbers or text");
    array.type = !real ? NirArray::Type::i64 : size <= 4 ? NirArray::Type::f32 : NirArray::Type::f64;
    array.shape = data.shape();
    array.values.resize(count);
    auto* bytes = reinterpret_cast<uint8_t*>(array.values.data());
    read_hdf5(data.set.get(), data.storage, bytes, data.what, path_);
    if (named) {
      for (size_t i = count; i-- > 0;) array.values[i] = bytes[i];  // in place, from behind
      return array;
    }
    if (count > 0 && H5Tconvert(data.type.get(), H5T_NATIVE_DOUBLE, count, bytes, nullptr, H5P_DEFAULT) < 0)
      fail(data, "its numbers are of a type that is not known");
    return array;
  }

  std::string text(hid_t group, const std::string& name, const std::string& where) {
    const Data data = open(group, name, where);
    if (data.kind != H5T_STRING || !data.storage.shape.empty()) fail(data, "expected a text");
    return texts(data).at(0);
  }

  /// All elements of a data set of texts.
  std::vector<std::string> texts(const Data& data) {
    return H5Tis_variable_str(data.type.get()) > 0 ? variable(data) : fixed(data);
  }

  std::vector<std::string> fixed(const Data& data) const {
    const size_t length = H5Tget_size(data.type.get());
    std::vector<char> bytes(data.storage.bytes());
    read_hdf5(data.set.get(), data.storage, reinterpret_cast<uint8_t*>(bytes.data()), data.what, path_);
    std::vector<std::string> list;
    const bool spaces = H5Tget_strpad(data.type.get()) == H5T_STR_SPACEPAD;
    for (uint64_t i = 0; i < data.storage.elements; ++i) {
      const char* first = bytes.data() + i * length;
      std::string one(first, std::find(first, first + length, '\0'));
      while (spaces && !one.empty() && one.back() == ' ') one.pop_back();
      list.push_back(std::move(one));
    }
    return list;
  }

  std::vector<std::string> variable(const Data& data) {
    std::vector<std::string> list;
    if (data.storage.elements == 0) return list;
    Bytes unpacked;
    ByteSpan references = image_;
    haddr_t at = 0;
    if (!data.storage.chunk.empty()) {
      unpacked.resize(data.storage.bytes());
      read_hdf5(data.set.get(), data.storage, unpacked.data(), data.what, path_);
      references = unpacked;
    } else if (at = H5Dget_offset(data.set.get()); at == HADDR_UNDEF) {
      fail(data, "expected its texts outside of the header");
    }
    for (uint64_t i = 0; i < data.storage.elements; ++i) {
      list.push_back(nir::heap_text(image_, references, at + i * nir::kTextReference, path_));
      text_ += list.back().size();
      if (text_ > kMaxText) fail(data, str("more than ", kMaxText >> 20, " MiB of text in all"));
    }
    return list;
  }

  std::vector<std::pair<std::string, std::string>> edges(hid_t group, const std::string& where) {
    const Data data = open(group, "edges", where);
    std::vector<std::pair<std::string, std::string>> edges;
    if (data.storage.elements == 0) return edges;
    if (data.kind != H5T_STRING || data.storage.shape.size() != 2 || data.storage.shape[1] != 2)
      fail(where.empty() ? "root" : where, "edges: expected texts of the shape [E, 2]");
    const std::vector<std::string> names = texts(data);
    for (size_t i = 0; i < names.size(); i += 2) edges.emplace_back(names[i], names[i + 1]);
    return edges;
  }

  ByteSpan image_;
  std::string path_;
  Hdf5Id file_;
  std::vector<std::string> unread_;
  size_t objects_ = 0, text_ = 0;
  uint64_t stored_ = 0, unpacked_ = 0;  ///< bytes of all data sets so far
};

}  // namespace

NirGraph parse_nir(ByteSpan file, const std::string& path) {
  nir::check_hdf5(file, path);
  const std::lock_guard<std::mutex> lock(hdf5_library());
  silence_hdf5();
  return FileReader(file, path).graph();
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
