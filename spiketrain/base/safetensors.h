// The safetensors file format, reader and writer.
//   u64 little-endian header length N | N bytes of JSON | tensor bytes
//   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__":
//   {"k": "v"}} offsets count from the end of the header; tensors must cover the rest of the file without gap
//   or overlap.
// A sealed file has in its metadata "spiketrain.sha256": the digest of the whole file with these 64 digits as zeros.  Other readers
// take it for a text like any other.
// Source: the format's public description.  Deviation: none; big-endian machines are not supported.
// Tests: unit/safetensors_test.cpp, unit/mutation_test.cpp, fuzz/fuzz_safetensors.cpp.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"

namespace spiketrain {

/// One tensor's bytes, row-major; `data` may be unaligned for its type, so copy rather than cast.
struct TensorEntry {
  std::string name;
  std::string dtype;           ///< BOOL U8 I8 I16 U16 F16 BF16 I32 U32 F32 I64 U64 F64
  std::vector<int64_t> shape;  ///< empty: a scalar
  const uint8_t* data = nullptr;
  size_t bytes = 0;
};

/// Bytes an element of `dtype` takes; 0 for an unknown name.
size_t dtype_bytes(const std::string& dtype);

/// A parsed file.  Copies share the bytes, which live as long as any copy.
class SafetensorsFile {
 public:
  /// Metadata key of the seal.
  static constexpr const char* kSeal = "spiketrain.sha256";

  /// Reads and checks a whole file; DataError if missing or malformed, or if it is sealed and has changed since.
  static SafetensorsFile open(const std::string& path);

  /// Entries in file order.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  std::vector<std::string> names() const;
  /// nullptr if there is no such tensor.
  const TensorEntry* find(const std::string& name) const;
  /// DataError if there is no such tensor.
  const TensorEntry& at(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool is_sealed() const { return metadata_.count(kSeal) != 0; }
  const std::string& path() const { return path_; }

 private:
  friend SafetensorsFile parse_safetensors(ByteSpan file, const std::string& path);

  std::string path_;
  std::shared_ptr<const Bytes> owned_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

/// Parses a whole file in memory, which must outlive the result; `path` is only named in errors (DataError).  A seal is
/// not checked.
SafetensorsFile parse_safetensors(ByteSpan file, const std::string& path);

/// Writes entries in the given order, atomically, and sealed if asked for.  UsageError: unknown dtype, bytes != shape * dtype,
/// repeated or reserved name, text that is not UTF-8.  DataError: the file cannot be written.
void write_safetensors(const std::string& path, const std::vector<TensorEntry>& entries,
                       const std::map<std::string, std::string>& metadata = {}, bool seal = false);

}  // namespace spiketrain
