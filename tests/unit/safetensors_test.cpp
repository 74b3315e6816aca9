// Safetensors: round trip, and one rejected file for every rule of the format.
#include "spiketrain/base/safetensors.h"

#include <gtest/gtest.h>

#include "spiketrain/base/check.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::safetensors_test {

Bytes make_file(const std::string& header, size_t data_bytes, int64_t length = -1) {
  const uint64_t stated = length < 0 ? header.size() : static_cast<uint64_t>(length);
  Bytes file(8);
  for (int i = 0; i < 8; ++i) file[i] = static_cast<uint8_t>(stated >> (8 * i));
  file.insert(file.end(), header.begin(), header.end());
  for (size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<uint8_t>(i));
  return file;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}";
}

void expect_rejected(const std::string& header, size_t data_bytes, const std::string& message,
                     int64_t length = -1) {
  const Bytes file = make_file(header, data_bytes, length);
  try {
    parse_safetensors(file, "mem");
    ADD_FAILURE() << "accepted " << header;
  } catch (const DataError& error) {
    EXPECT_EQ(error.path, "mem");
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    EXPECT_LE(error.byte_offset, file.size());
  }
}

TEST(Safetensors, RoundTrip) {
  TempDir dir;
  const std::vector<float> weights = {1.5f, -2.0f, 0.0f, 3e-38f, 5.0f, 6.0f};
  const std::vector<int64_t> labels = {INT64_MIN, -1, INT64_MAX};
  const std::vector<uint8_t> bits = {1, 0, 1};
  auto raw = [](const auto& v) { return reinterpret_cast<const uint8_t*>(v.data()); };
  const std::vector<TensorEntry> entries = {{"z.weight", "F32", {2, 3}, raw(weights), 24},
                                            {"bits", "BOOL", {3}, raw(bits), 3},
                                            {"a \"quoted\" \xc3\xa9", "I64", {3, 1}, raw(labels), 24},
                                            {"empty", "F64", {0, 7}, nullptr, 0},
                                            {"scalar", "U8", {}, raw(bits), 1}};
  write_safetensors(dir / "f.safetensors", entries, {{"step", "12"}, {"note", "line\nbreak"}});
  EXPECT_EQ(dir.count(), 1u);

  const SafetensorsFile file = SafetensorsFile::open(dir / "f.safetensors");
  ASSERT_EQ(file.entries().size(), entries.size());
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"step", "12"}, {"note", "line\nbreak"}}));
  for (const TensorEntry& written : entries) {
    const TensorEntry& read = file.at(written.name);
    EXPECT_EQ(read.dtype, written.dtype);
    EXPECT_EQ(read.shape, written.shape);
    ASSERT_EQ(read.bytes, written.bytes);
    EXPECT_EQ(Bytes(read.data, read.data + read.bytes), Bytes(written.data, written.data + written.bytes));
  }
  EXPECT_EQ(file.names()[0], "z.weight");
  EXPECT_EQ(file.find("absent"), nullptr);
  EXPECT_THROW(file.at("absent"), DataError);
  const Bytes bytes = read_file(dir / "f.safetensors");
  EXPECT_EQ(bytes[0] % 8, 0) << "the first tensor must be aligned to 8 bytes";
}

TEST(Safetensors, CopiesKeepTheBytesAlive) {
  TempDir dir;
  const uint8_t value[2] = {42, 43};
  write_safetensors(dir / "f", {{"x", "U8", {2}, value, 2}});
  std::vector<SafetensorsFile> kept;
  kept.push_back(SafetensorsFile::open(dir / "f"));
  EXPECT_EQ(kept[0].at("x").data[1], 43);
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
  EXPECT_EQ(parse_safetensors(make_file("{}", 0), "mem").entries().size(), 0u);
  EXPECT_EQ(parse_safetensors(make_file("{}     ", 0), "mem").entries().size(), 0u);
  // Header order need not be data order.
  const Bytes bytes =
      make_file("{" + entry("b", "U8", "[2]", "[4,6]") + "," + entry("a", "F32", "[1]", "[0,4]") + "}", 6);
  const SafetensorsFile file = parse_safetensors(bytes, "mem");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.at("b").data[0], 4);
}

TEST(Safetensors, RejectsBadHeaders) {
  EXPECT_THROW(parse_safetensors(Bytes{1, 2, 3}, "mem"), DataError);
  EXPECT_THROW(parse_safetensors(ByteSpan(), "mem"), DataError);
  expect_rejected("{}", 0, "larger than the file", 3);
  expect_rejected("{}", 0, "larger than allowed", INT64_MAX);
  expect_rejected("", 0, "does not start");
  expect_rejected(" {}", 0, "does not start");
  expect_rejected("{\"a\":", 0, "not valid JSON");
  expect_rejected("{} x", 0, "not valid JSON");
  expect_rejected("{\"a\xff\":1}", 0, "not valid JSON");
  expect_rejected("{\"a\":" + std::string(100000, '['), 0, "nested too deeply");
  expect_rejected("{\"a\":1}", 0, "not described");
  expect_rejected("{\"__metadata__\":{\"k\":1}}", 0, "else than text");
  expect_rejected("{\"__metadata__\":[]}", 0, "not an object");
  expect_rejected("{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("a", "U8", "[1]", "[0,1]") + "}", 1,
                  "repeats the key");
  expect_rejected("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "repeats the key");
  expect_rejected("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
                  "repeats the key");
}

TEST(Safetensors, RejectsLyingEntries) {
  auto one = [](const char* dtype, const char* shape, const char* offsets) {
    return "{" + entry("a", dtype, shape, offsets) + "}";
  };
  expect_rejected(one("Q8", "[1]", "[0,1]"), 1, "unknown dtype");
  expect_rejected(one("F32", "[2]", "[0,4]"), 4, "need 8 bytes");
  expect_rejected(one("U8", "[5]", "[0,5]"), 4, "do not lie");
  expect_rejected(one("U8", "[1]", "[2,1]"), 4, "do not lie");
  expect_rejected(one("U8", "[1]", "[0,1,2]"), 4, "do not lie");
  expect_rejected(one("U8", "[1]", "[-1,0]"), 4, "non-negative integer");
  expect_rejected(one("U8", "[1.0]", "[0,1]"), 1, "non-negative integer");
  expect_rejected(one("U8", "[\"1\"]", "[0,1]"), 1, "non-negative integer");
  expect_rejected(one("U8", "[18446744073709551615]", "[0,1]"), 1, "non-negative integer");
  expect_rejected(one("U8", "[1e400]", "[0,1]"), 1, "header");
  expect_rejected(one("U8", "1", "[0,1]"), 1, "not a list");
  expect_rejected(one("F64", "[9223372036854775807,9223372036854775807]", "[0,8]"), 8, "too large");
  expect_rejected(one("U8", "[4294967296,4294967296]", "[0,0]"), 0, "too large");
}

TEST(Safetensors, RejectsOverlapsAndGaps) {
  auto two = [](const char* first, const char* second) {
    return "{" + entry("a", "U8", "[2]", first) + "," + entry("b", "U8", "[2]", second) + "}";
  };
  expect_rejected(two("[0,2]", "[1,3]"), 3, "overlap");
  expect_rejected(two("[0,2]", "[0,2]"), 2, "overlap");
  expect_rejected(two("[0,2]", "[3,5]"), 5, "gap");
  expect_rejected(two("[1,3]", "[3,5]"), 5, "gap");
  expect_rejected(two("[0,2]", "[2,4]"), 5, "belong to no tensor");
}

TEST(Safetensors, WriterRefusesNonsense) {
  TempDir dir;
  const uint8_t b[8] = {};
  EXPECT_THROW(write_safetensors(dir / "f", {{"a", "F32", {2}, b, 4}}), UsageError);
  EXPECT_THROW(write_safetensors(dir / "f", {{"a", "F32", {-1}, b, 4}}), UsageError);
  EXPECT_THROW(write_safetensors(dir / "f", {{"a", "float", {1}, b, 4}}), UsageError);
  EXPECT_THROW(write_safetensors(dir / "f", {{"a", "U8", {1}, b, 1}, {"a", "U8", {1}, b, 1}}), UsageError);
  EXPECT_THROW(write_safetensors(dir / "f", {{"__metadata__", "U8", {1}, b, 1}}), UsageError);
  EXPECT_THROW(write_safetensors(dir / "f", {{"\xff", "U8", {1}, b, 1}}), UsageError);
  EXPECT_EQ(dir.count(), 0u);
}

}  // namespace spiketrain::safetensors_test
