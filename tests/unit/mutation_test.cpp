// Every parser meets a few thousand damaged files: it must return or throw DataError, nothing else.
// Deterministic; the number of the failing case is printed.  tests/fuzz holds the open-ended version.
#include "tests/support/mutation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/base/tar.h"
#include "spiketrain/data/images/cifar.h"
#include "spiketrain/data/images/idx.h"
#include "spiketrain/report/metrics_file.h"
#include "tests/support/idx_files.h"
#include "tests/support/tar_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::mutation_test {

TEST(Mutation, Safetensors) {
  TempDir dir;
  const Bytes data = Bytes(64, 5);
  write_safetensors(dir / "f",
                    {{"layer.weight", "F32", {2, 3}, data.data(), 24},
                     {"step", "I64", {}, data.data(), 8},
                     {"mask", "BOOL", {4, 0}, data.data(), 0}},
                    {{"format", "1"}, {"note", "a \"b\""}});
  attack(read_file(dir / "f"), 1, [](const Bytes& bytes) {
    const SafetensorsFile file = parse_safetensors(bytes, "mem");
    uint64_t sum = 0;
    for (const TensorEntry& entry : file.entries()) {
      for (size_t i = 0; i < entry.bytes; ++i) sum += entry.data[i];  // what is accepted must be readable
    }
    ASSERT_LE(sum, uint64_t{255} * bytes.size());
  });
}

TEST(Mutation, Idx) {
  attack(make_idx({3, 4, 5}, Bytes(60, 9)), 2, [](const Bytes& bytes) {
    const IdxArray array = parse_idx(bytes, "mem");
    ASSERT_EQ(array.values.data + array.values.size, bytes.data() + bytes.size());
  });
}

TEST(Mutation, Cifar) {
  Bytes good(2 * 3073, 3);
  attack(good, 3, [](const Bytes& bytes) {
    Bytes labels;
    parse_cifar10(bytes, "mem", 0, labels);
    ASSERT_EQ(bytes.size(), labels.size() * 3073);
  });
}

TEST(Mutation, Tar) {
  Bytes good;
  add_tar_member(good, "readme", Bytes(600, 'r'));
  add_tar_member(good, "wanted", Bytes(100, 'w'));
  end_tar(good);
  attack(good, 4, [](const Bytes& bytes) {
    size_t at = 0;
    const ByteSource source = [&](uint8_t* out, size_t n) {
      n = std::min(n, bytes.size() - at);
      std::copy_n(bytes.begin() + static_cast<int64_t>(at), n, out);
      at += n;
      return n;
    };
    read_tar(source, {{"wanted", 100}}, 1 << 16, "mem",
             [](const std::string&, const Bytes& member) { ASSERT_EQ(member.size(), 100u); });
  });
}

TEST(Mutation, MetricsOfARun) {
  TempDir dir;
  const std::string text =
      "{\"epoch\":1,\"test_accuracy\":0.5,\"rates\":[{\"layer\":\"4C5\",\"rate\":0.1}]}\n{\"epoch\":2}\n";
  attack(Bytes(text.begin(), text.end()), 5, [&](const Bytes& bytes) {
    write_file_atomic(dir / "metrics.jsonl", {ByteSpan(bytes)});
    for (const Config& line : read_metrics(dir / "metrics.jsonl"))
      ASSERT_TRUE(line.at("epoch").is_number_integer());
  });
}

}  // namespace spiketrain::mutation_test
