// NIR files: what is written comes back; damaged and foreign files.  Files as other programs write them are
// in golden/nir_test.cpp, what else HDF5 can hold in nir_hdf5_test.cpp.
#include <gtest/gtest.h>

#include "spiketrain/nir/file.h"
#include "tests/support/message.h"
#include "tests/support/mutation.h"
#include "tests/support/nir_graphs.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::nir_file_test {

/// A graph with everything a file can hold.
NirGraph everything() {
  NirGraph graph = nir_recurrent("Affine");
  nir_at(graph, "lif").metadata.texts = {{"reset", "subtract"}, {"note", "\xC3\xA9 \"x\"\nline"}};
  nir_at(graph, "lif").metadata.arrays = {{"list", NirArray::integers({1, 2, 3})},
                                          {"dt", NirArray::number(0.1)}};
  graph.metadata.texts = {{"framework", "hand"}, {"empty", ""}};
  graph.metadata.arrays = {{"dt", NirArray::number(1e-4)}};
  NirGraph inner = nir_chain(3, 3);
  inner.metadata.texts = {{"note", "of the inner graph"}};
  graph.nodes.insert(graph.nodes.begin(),
                     {"block.1", {"NIRGraph", {}, {}, std::make_shared<NirGraph>(inner)}});
  graph.edges[2] = {"lif", "block.1"};
  graph.edges.emplace_back("block.1", "output");
  return graph;
}

TEST(NirFile, WhatIsWrittenComesBack) {
  TempDir dir;
  const NirGraph graph = everything();
  write_nir(dir / "a.nir", graph);
  const NirGraph back = read_nir(dir / "a.nir");
  EXPECT_TRUE(back == graph);
  EXPECT_EQ(back.version, "1.0.7");
  write_nir(dir / "b.nir", back);
  EXPECT_EQ(read_file(dir / "a.nir"), read_file(dir / "b.nir"));
  write_nir(dir / "a.nir", nir_chain());  // over it
  EXPECT_TRUE(read_nir(dir / "a.nir") == nir_chain());
}

TEST(NirFile, EveryPadding) {
  TempDir dir;
  NirGraph graph = nir_chain();
  nir_at(graph, "input") = nir_end("Input", {2, 6, 5});
  NirNode conv = nir_node("Conv2d", {{"weight", nir_weight({3, 2, 3, 3})},
                                     {"bias", each(3, 1)},
                                     {"stride", NirArray::integers({1, 1})},
                                     {"dilation", NirArray::integers({1, 1})},
                                     {"groups", NirArray::integer(1)},
                                     {"input_shape", NirArray::integers({6, 5})}});
  conv.fields.texts["padding"] = "same";
  nir_at(graph, "fc") = conv;
  NirNode lif = nir_lif(1);
  for (auto& [name, array] : lif.fields.arrays)
    array = f32({3, 6, 5}, std::vector<double>(90, array.values[0]));
  nir_at(graph, "lif") = lif;
  nir_at(graph, "output") = nir_end("Output", {3, 6, 5});
  write_nir(dir / "a.nir", graph);
  EXPECT_TRUE(read_nir(dir / "a.nir") == graph);
}

TEST(NirFile, WritesNothingThatItWouldNotRead) {
  TempDir dir;
  NirGraph graph = nir_chain();
  graph.edges.clear();
  EXPECT_THROW(write_nir(dir / "a.nir", graph), UsageError);
  graph = nir_chain();
  graph.nodes[0].first = "a/b";
  graph.edges[0].second = graph.edges[1].first = "a/b";
  EXPECT_NE(message_of<UsageError>([&] { write_nir(dir / "a.nir", graph); }).find("without '/'"),
            std::string::npos);
  EXPECT_EQ(dir.count(), 0U);
  EXPECT_THROW(write_nir(dir / "no/such/folder.nir", nir_chain()), DataError);
}

TEST(NirFile, ForeignFilesAreRefused) {
  TempDir dir;
  EXPECT_THROW(read_nir(dir / "missing.nir"), SystemError);
  for (const char* text :
       {"", "x",
        "not HDF5 at all, but long enough to hold a superblock of any version, or so one would think"}) {
    write_file_atomic(dir / "a.nir", std::string(text));
    const std::string what = message_of<DataError>([&] { read_nir(dir / "a.nir"); });
    EXPECT_NE(what.find("expected an HDF5 file"), std::string::npos) << what;
  }
}

TEST(NirFile, CutOff) {
  TempDir dir;
  write_nir(dir / "a.nir", everything());
  const Bytes whole = read_file(dir / "a.nir");
  for (size_t size = 0; size < whole.size(); size += 1 + size / 50) {
    try {
      check_nir(parse_nir({whole.data(), size}, "mem"));
      ADD_FAILURE() << size;
    } catch (const DataError&) {
    } catch (const UsageError&) {
    }
  }
}

TEST(NirFile, Damaged) {
  TempDir dir;
  write_nir(dir / "a.nir", everything());
  attack(
      read_file(dir / "a.nir"), 61,
      [](const Bytes& bytes) {
        try {
          check_nir(parse_nir(bytes, "mem"));
        } catch (const UsageError& error) {
          throw DataError("mem", 0, error.what());
        }
      },
      300);
}

}  // namespace spiketrain::nir_file_test
