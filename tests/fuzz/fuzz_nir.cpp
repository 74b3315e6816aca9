// NIR files.  First byte, bit 3: a whole file; bit 2: a chunk, the second byte says its filters; bit 1: texts of HDF5; bit 0: LZF, the rest packed.  Else: a
// graph drawn from the rest, of nodes, fields and edges that may be wrong in every way; it is flattened or refused with UsageError, and every undelayed
// edge then leads forward.
#include <cstdlib>
#include <iterator>
#include <limits>

#include "spiketrain/base/check.h"
#include "spiketrain/base/hdf5_filters.h"
#include "spiketrain/base/lzf.h"
#include "spiketrain/nir/fields.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/flat.h"
#include "spiketrain/nir/hdf5_heap.h"
#include "spiketrain/nir/time_step.h"

namespace {

using namespace spiketrain;

/// Takes choices from the input; zeros when it is used up.
struct Source {
  const uint8_t* data;
  size_t size;
  unsigned below(unsigned n) {
    if (size == 0) return 0;
    --size;
    return *data++ % n;
  }
};

NirArray draw_array(Source& source, size_t rank_limit) {
  NirArray array;
  array.type = static_cast<NirArray::Type>(source.below(3));
  int64_t count = 1;
  for (unsigned rank = source.below(static_cast<unsigned>(rank_limit)); rank > 0; --rank) {
    array.shape.push_back(source.below(4));
    count *= array.shape.back();
  }
  static constexpr double kValues[] = {
      1, 0, -1, 2, 3, 1e-3, 0.5, 1e300, -1e300, 1e-300, 2147483647, std::numeric_limits<double>::quiet_NaN()};
  for (int64_t i = 0; i < count; ++i) array.values.push_back(kValues[source.below(std::size(kValues))]);
  return array;
}

std::string draw_name(Source& source, size_t nodes) {
  return std::to_string(source.below(static_cast<unsigned>(nodes) + 1));
}

NirGraph draw_graph(Source& source, int depth) {
  NirGraph graph;
  const std::vector<std::string> types = nir::type_names();
  const unsigned nodes = 2 + source.below(6);
  for (unsigned n = 0; n < nodes; ++n) {
    NirNode node;
    node.type = n < 2 ? types[n] : types[source.below(static_cast<unsigned>(types.size()))];
    if (node.type == "NIRGraph" && depth < 3)
      node.graph = std::make_shared<NirGraph>(draw_graph(source, depth + 1));
    for (const nir::FieldInfo& field : nir::find_type(node.type)->fields)
      if (source.below(16) != 1) node.fields.arrays[field.name] = draw_array(source, 5);
    if (source.below(8) == 1) node.fields.texts["padding"] = source.below(2) ? "same" : "valid";
    graph.nodes.emplace_back(std::to_string(n), node);
  }
  for (unsigned e = 1 + source.below(12); e > 0; --e)
    graph.edges.emplace_back(draw_name(source, nodes), draw_name(source, nodes));
  return graph;
}

void unpack_chunk(ByteSpan bytes) {
  Source source{bytes.data, bytes.size};
  std::vector<Hdf5Filter> filters(source.below(4));
  for (Hdf5Filter& filter : filters)
    filter = {static_cast<Hdf5Filter::Kind>(source.below(3)), source.below(9)};
  const uint32_t skipped = source.below(8);
  const size_t wanted = source.below(256) * source.below(256);
  Bytes out;
  if (unpack_hdf5_chunk({source.data, source.size}, filters, skipped, wanted, out) && out.size() != wanted)
    std::abort();
}

}  // namespace

/// HDF5 leaks when it meets damage, and asks for as much memory as a damaged size says (run with -malloc_limit_mb=1000000).
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if (data[0] & 8) {
    try {
      parse_nir({data + 1, size - 1}, "fuzz");
    } catch (const DataError&) {
    }
    return 0;
  }
  if (data[0] & 4) {
    unpack_chunk({data + 1, size - 1});
    return 0;
  }
  if (data[0] & 2) {
    try {
      const ByteSpan file(data + 1, size - 1);
      for (size_t at = 0; at < file.size; at += 8) nir::heap_text(file, file, at, "fuzz");
    } catch (const DataError&) {
    }
    return 0;
  }
  if (data[0] & 1) {
    Bytes out;
    constexpr size_t kMost = 1 << 16;
    if (unpack_lzf({data + 1, size - 1}, kMost, out) && out.size() > kMost) std::abort();
    return 0;
  }
  Source source{data + 1, size - 1};
  const NirGraph graph = draw_graph(source, 0);
  try {
    const nir::Flat flat = nir::flatten(graph);
    for (size_t i = 0; i < flat.nodes.size(); ++i)
      for (const nir::Source& from : flat.nodes[i].sources)
        if (!from.delayed && from.node >= i) std::abort();
    nir::check_time_step(flat, nir::time_step(graph, flat, 0));
  } catch (const UsageError&) {
  }
  return 0;
}
