// What HDF5 can hold besides what this library writes: chunks of every kind, damaged and hostile ones, links, metadata that are no numbers.
#include <gtest/gtest.h>
#include <hdf5.h>
#include <zlib.h>

#include <cstring>
#include <functional>

#include "spiketrain/base/check.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/import.h"
#include "tests/support/message.h"
#include "tests/support/nir_graphs.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::nir_hdf5_test {

const char* kWeight = "/node/nodes/fc/weight";

/// The chain, changed by HDF5's own means.
struct Changed {
  TempDir dir;
  std::string path = dir / "a.nir";
  explicit Changed(const std::function<void(hid_t file)>& change) {
    write_nir(path, nir_chain());
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    change(file);
    EXPECT_GE(H5Fclose(file), 0);
  }
  NirGraph read() const { return read_nir(path); }
  std::string refusal() const {
    return message_of<DataError>([&] { read(); });
  }
};

bool has(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }

using Filters = std::function<void(hid_t plist)>;

/// A data set of float32 in chunks, with nothing in it yet.
hid_t chunked(hid_t file, const char* name, std::vector<hsize_t> shape, std::vector<hsize_t> chunk,
              const Filters& filters) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
              plist = H5Pcreate(H5P_DATASET_CREATE), links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data());
  if (filters) filters(plist);
  H5Ldelete(file, name, H5P_DEFAULT);
  const hid_t set = H5Dcreate2(file, name, H5T_IEEE_F32LE, space, links, plist, H5P_DEFAULT);
  EXPECT_GE(set, 0);
  H5Pclose(links);
  H5Pclose(plist);
  H5Sclose(space);
  return set;
}

void deflate(hid_t plist) { H5Pset_deflate(plist, 6); }

Bytes packed(const Bytes& bytes) {
  Bytes result(compressBound(bytes.size()));
  uLongf size = result.size();
  compress(result.data(), &size, bytes.data(), bytes.size());
  result.resize(size);
  return result;
}

/// One chunk, at the front, as these bytes.
void put(hid_t set, const Bytes& bytes, uint32_t mask = 0) {
  const hsize_t at[2] = {0, 0};
  EXPECT_GE(H5Dwrite_chunk(set, H5P_DEFAULT, mask, at, bytes.size(), bytes.data()), 0);
  H5Dclose(set);
}

TEST(NirHdf5, ChunksOfEveryKind) {
  const NirGraph chain = nir_chain();
  std::vector<float> weight;
  for (const double x : chain.nodes[0].second.fields.arrays.at("weight").values)
    weight.push_back(static_cast<float>(x));
  const std::vector<std::pair<const char*, Filters>> list = {{"plain", nullptr},
                                                             {"deflate", deflate},
                                                             {"shuffle", [](hid_t p) { H5Pset_shuffle(p); }},
                                                             {"both", [](hid_t p) {
                                                                H5Pset_shuffle(p);
                                                                H5Pset_deflate(p, 9);
                                                              }}};
  for (const auto& [name, filters] : list) {
    for (const std::vector<hsize_t>& chunk :
         std::vector<std::vector<hsize_t>>{{3, 4}, {2, 3}, {1, 1}, {3, 1}}) {
      SCOPED_TRACE(str(name, " ", chunk[0], " ", chunk[1]));
      const Changed file([&, f = filters](hid_t h) {
        const hid_t set = chunked(h, kWeight, {3, 4}, chunk, f);
        H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, weight.data());
        H5Dclose(set);
      });
      EXPECT_TRUE(file.read() == chain);
    }
  }
}

TEST(NirHdf5, ChunksThatDoNotUnpackToTheirSize) {
  const Bytes whole(48, 0), half(24, 0), longer(4000, 0);
  const auto refusal = [](const Bytes& bytes, uint32_t mask = 0) {
    return Changed([&](hid_t h) {
             put(chunked(h, kWeight, {3, 4}, {3, 4}, deflate), bytes, mask);
           })
        .refusal();
  };
  for (const std::string& what :
       {refusal(packed(half)), refusal(packed(longer)), refusal(half, 1), refusal(longer, 1), refusal(whole)})
    EXPECT_TRUE(has(what, "node 'fc': 'weight': a chunk does not unpack to its 48 bytes")) << what;
  const Changed good([&](hid_t h) { put(chunked(h, kWeight, {3, 4}, {3, 4}, deflate), whole, 1); });
  EXPECT_EQ(good.read().nodes[0].second.fields.arrays.at("weight").values, std::vector<double>(12, 0));
  // As large as a chunk may be, so that what is read behind its end is not the process's.
  const Changed large([&](hid_t h) {
    put(chunked(h, "/node/metadata/x", {1 << 24}, {1 << 24}, deflate), Bytes(70000, 0), 1);
  });
  EXPECT_TRUE(has(large.refusal(), "'x': a chunk does not unpack to its 67108864 bytes")) << large.refusal();
  const Changed missing([&](hid_t h) { H5Dclose(chunked(h, kWeight, {3, 4}, {3, 4}, deflate)); });
  EXPECT_TRUE(has(missing.refusal(), "'weight'")) << missing.refusal();
}

TEST(NirHdf5, FiltersThatAreRefused) {
  const auto refusal = [](const Filters& filters) {
    return Changed([&](hid_t h) {
             put(chunked(h, kWeight, {3, 4}, {3, 4}, filters), packed(Bytes(48, 0)));
           })
        .refusal();
  };
  const std::string twice = refusal([](hid_t p) {
    H5Pset_deflate(p, 9);
    const unsigned level = 9;
    H5Pset_filter(p, H5Z_FILTER_DEFLATE, 0, 1, &level);
  });
  EXPECT_TRUE(has(twice, "expected one compression, found several")) << twice;
  const std::string other = refusal([](hid_t p) { H5Pset_fletcher32(p); });
  EXPECT_TRUE(has(other, "packed by the filter 3 'fletcher32', which is not known; write it with gzip"))
      << other;
}

/// A few thousand bytes that stand for many gigabytes.
TEST(NirHdf5, OneDataSetUnderManyNames) {
  const Changed file([](hid_t h) {
    put(chunked(h, "/node/metadata/x", {1 << 20}, {1 << 20}, deflate), packed(Bytes(4 << 20, 0)));
    for (int i = 0; i < 16; ++i)
      H5Lcreate_hard(h, "/node/metadata/x", h, str("/node/metadata/y", i).c_str(), H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_TRUE(has(file.refusal(), "the data sets are larger than the file")) << file.refusal();
  const Changed huge([](hid_t h) {
    const hid_t set = chunked(h, "/node/metadata/x", {1 << 15, 1 << 14}, {1 << 15, 1 << 14}, deflate);
    put(set, Bytes(5 << 20, 0));
  });
  EXPECT_TRUE(has(huge.refusal(), "more than 2 GiB of values in all")) << huge.refusal();
}

TEST(NirHdf5, MetadataThatAreNoNumbersAreLeftAside) {
  const Changed file([](hid_t h) {
    const hid_t links = H5Pcreate(H5P_LINK_CREATE), scalar = H5Screate(H5S_SCALAR),
                none = H5Screate(H5S_NULL), pair = H5Tcreate(H5T_COMPOUND, 16);
    H5Pset_create_intermediate_group(links, 1);
    H5Tinsert(pair, "r", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(pair, "i", 8, H5T_NATIVE_DOUBLE);
    const auto make = [&](const char* name, hid_t type, hid_t space) {
      const hid_t set = H5Dcreate2(h, name, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
      const double zeros[2] = {3, 4};
      H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros);
      H5Dclose(set);
    };
    make("/node/metadata/complex", pair, scalar);
    make("/node/metadata/none", H5T_NATIVE_DOUBLE, none);
    make("/node/metadata/good", H5T_NATIVE_DOUBLE, scalar);
    make("/node/nodes/lif/metadata", H5T_NATIVE_DOUBLE, scalar);
    H5Tclose(pair);
    H5Sclose(none);
    H5Sclose(scalar);
    H5Pclose(links);
  });
  const NirGraph graph = file.read();
  EXPECT_EQ(graph.metadata.arrays.size(), 1U);
  EXPECT_EQ(graph.metadata.arrays.at("good").values[0], 3);
  ASSERT_EQ(graph.unread.size(), 3U);
  const std::vector<std::string> notes = network_from_nir(graph).notes;
  for (const char* note : {"metadata 'complex' holds neither numbers nor texts; left aside",
                           "metadata 'none' is empty; left aside",
                           "node 'lif': metadata 'metadata' is a data set, not a group; left aside"})
    EXPECT_EQ(std::count(notes.begin(), notes.end(), note), 1) << note;
}

TEST(NirHdf5, TextsInChunks) {
  const Changed file([](hid_t h) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const hsize_t sides = 3, chunk = 2;
    const hid_t space = H5Screate_simple(1, &sides, nullptr), plist = H5Pcreate(H5P_DATASET_CREATE),
                links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_chunk(plist, 1, &chunk);
    deflate(plist);
    const hid_t set = H5Dcreate2(h, "/node/metadata/list", type, space, links, plist, H5P_DEFAULT);
    const char* texts[] = {"one", "two", "three"};
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts);
    H5Dclose(set);
    for (const hid_t id : {plist, links}) H5Pclose(id);
    H5Sclose(space);
    H5Tclose(type);
  });
  EXPECT_EQ(file.read().metadata.texts.at("list"), "one\ntwo\nthree");
}

/// A text of a megabyte that many edges refer to.
TEST(NirHdf5, OneTextInManyPlaces) {
  NirGraph graph = nir_chain();
  graph.metadata.texts["long"] = std::string(1 << 20, 'x');
  TempDir dir;
  write_nir(dir / "a.nir", graph);
  const hid_t file = H5Fopen((dir / "a.nir").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const hsize_t sides = 100;
  const hid_t space = H5Screate_simple(1, &sides, nullptr), plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY);
  const hid_t one = H5Dopen2(file, "/node/metadata/long", H5P_DEFAULT),
              all = H5Dcreate2(file, "/node/metadata/all", type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
  const haddr_t from = H5Dget_offset(one), to = H5Dget_offset(all);
  H5Dclose(one);
  H5Dclose(all);
  H5Pclose(plist);
  H5Sclose(space);
  H5Tclose(type);
  H5Fclose(file);
  Bytes bytes = read_file(dir / "a.nir");
  for (size_t i = 0; i < 100; ++i) std::memcpy(&bytes[to + i * 16], &bytes[from], 16);
  const std::string what = message_of<DataError>([&] { parse_nir(bytes, "mem"); });
  EXPECT_TRUE(has(what, "'all': more than 64 MiB of text in all")) << what;
}

TEST(NirHdf5, LinksAndUserBlocks) {
  const Changed link(
      [](hid_t h) { H5Lcreate_soft("/node/nodes/lif", h, "/node/nodes/z", H5P_DEFAULT, H5P_DEFAULT); });
  EXPECT_TRUE(has(link.refusal(), "'z' is a soft or external link")) << link.refusal();
  TempDir dir;
  write_nir(dir / "a.nir", nir_chain());
  Bytes bytes = read_file(dir / "a.nir");
  bytes.insert(bytes.begin(), 1024, 0);
  const std::string what = message_of<DataError>([&] { parse_nir(bytes, "mem"); });
  EXPECT_TRUE(has(what, "without a user block, this one has 1024 bytes")) << what;
}

}  // namespace spiketrain::nir_hdf5_test
