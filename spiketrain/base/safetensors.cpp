// Safetensors reader and writer; the format is described in safetensors.h.
#include "spiketrain/base/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/base/sha256.h"

namespace spiketrain {
namespace {

using nlohmann::json;

constexpr uint64_t kPrefix = 8;
constexpr uint64_t kMaxHeader = 100'000'000;
constexpr int kMaxDepth = 3;
constexpr const char* kMetadata = "__metadata__";

/// shape * element size, or false on a negative size or overflow.
bool tensor_bytes(const std::vector<int64_t>& shape, size_t element, uint64_t* bytes) {
  *bytes = element;
  bool zero = false;
  for (int64_t size : shape) {
    if (size < 0) return false;
    zero = zero || size == 0;
  }
  if (zero) *bytes = 0;
  for (int64_t size : shape) {
    if (__builtin_mul_overflow(*bytes, static_cast<uint64_t>(size), bytes)) return false;
  }
  return true;
}

/// The header as JSON, with the two things the JSON library lets pass refused: repeated keys and deep
/// nesting.
json parse_header(ByteSpan text, const std::string& path) {
  std::vector<std::set<std::string>> keys;
  auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= kMaxDepth) throw DataError(path, kPrefix, "header JSON is nested too deeply");
      keys.resize(static_cast<size_t>(depth) + 1);
      keys.emplace_back();
    } else if (event == json::parse_event_t::key) {
      keys.resize(static_cast<size_t>(depth) + 1);
      const auto name = value.get<std::string>();
      if (!keys.back().insert(name).second)
        throw DataError(path, kPrefix, str("header repeats the key ", value.dump(-1, ' ', true)));
    }
    return true;
  };
  try {
    return json::parse(text.data, text.data + text.size, watch);
  } catch (const json::parse_error& error) {
    throw DataError(path, kPrefix + std::min<uint64_t>(error.byte, text.size), "header is not valid JSON");
  } catch (const json::exception&) {
    throw DataError(path, kPrefix, "header holds a number or text out of range");
  }
}

/// A list of non-negative integers from the header.
template <class T>
std::vector<T> integers(const json& value, const std::string& path, const std::string& what) {
  std::vector<T> result;
  if (!value.is_array()) throw DataError(path, kPrefix, str(what, " is not a list"));
  for (const json& item : value) {
    // Non-negative integers are "unsigned" to the JSON library; 1.0 and -1 are not.
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) {
      throw DataError(path, kPrefix, str(what, " holds something else than a non-negative integer"));
    }
    result.push_back(static_cast<T>(item.get<uint64_t>()));
  }
  return result;
}

/// One tensor description; `data` is the part of the file behind the header, starting at byte `start`.
TensorEntry parse_entry(const std::string& name, const json& value, ByteSpan data, uint64_t start,
                        const std::string& path) {
  const std::string what = "tensor " + json(name).dump(-1, ' ', true);
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets") || !value["dtype"].is_string()) {
    throw DataError(path, kPrefix, what + " is not described by exactly dtype, shape and data_offsets");
  }
  TensorEntry entry;
  entry.name = name;
  entry.dtype = value["dtype"].get<std::string>();
  const size_t element = dtype_bytes(entry.dtype);
  if (element == 0) throw DataError(path, kPrefix, what + " has an unknown dtype");
  entry.shape = integers<int64_t>(value["shape"], path, what + ": shape");
  const auto offsets = integers<uint64_t>(value["data_offsets"], path, what + ": data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size) {
    throw DataError(path, kPrefix, str(what, ": data_offsets do not lie in the ", data.size, " data bytes"));
  }
  uint64_t bytes = 0;
  if (!tensor_bytes(entry.shape, element, &bytes))
    throw DataError(path, kPrefix, what + ": shape is too large");
  if (bytes != offsets[1] - offsets[0]) {
    throw DataError(
        path, start + offsets[0],
        str(what, ": shape and dtype need ", bytes, " bytes, data_offsets span ", offsets[1] - offsets[0]));
  }
  entry.data = data.data + offsets[0];
  entry.bytes = bytes;
  return entry;
}

void check_cover(const std::vector<TensorEntry>& entries, ByteSpan data, uint64_t start,
                 const std::string& path) {
  uint64_t expected = 0;
  for (const TensorEntry& entry : entries) {
    const auto begin = static_cast<uint64_t>(entry.data - data.data);
    if (begin != expected) {
      throw DataError(path, start + std::min(begin, expected),
                      str("tensors ", begin < expected ? "overlap" : "leave a gap", " at data byte ",
                          std::min(begin, expected)));
    }
    expected = begin + entry.bytes;
  }
  if (expected != data.size)
    throw DataError(path, start + expected, str(data.size - expected, " bytes belong to no tensor"));
}

constexpr const char* kSeal = SafetensorsFile::kSeal;
constexpr size_t kDigits = 64;

/// Where in a header the digits of the seal stand, npos: nowhere.  A text in it cannot look like this: its quotes are
/// escaped.
size_t seal_position(const std::string& header, const std::string& digits) {
  const std::string before = str('"', kSeal, "\":\"");
  const size_t at = header.find(before + digits + '"');
  return at == std::string::npos ? at : at + before.size();
}

void check_seal(const Bytes& bytes, const SafetensorsFile& file) {
  const auto found = file.metadata().find(kSeal);
  if (found == file.metadata().end()) return;
  uint64_t length = 0;
  for (size_t i = 0; i < kPrefix; ++i) length |= uint64_t{bytes[i]} << (8 * i);
  const auto header = bytes.begin() + static_cast<int64_t>(kPrefix);
  std::string text(header, header + static_cast<int64_t>(length));
  const size_t at = seal_position(text, found->second);
  const bool sound = at != std::string::npos && found->second.size() == kDigits;
  if (sound) text.replace(at, kDigits, kDigits, '0');
  const size_t start = kPrefix + static_cast<size_t>(length);
  if (!sound || sha256_hex_of_parts({{bytes.data(), kPrefix},
                                     {reinterpret_cast<const uint8_t*>(text.data()), text.size()},
                                     {bytes.data() + start, bytes.size() - start}}) != found->second) {
    throw DataError(file.path(), kPrefix,
                    "the file is damaged: its SHA-256 is not the one it was written with");
  }
}

}  // namespace

size_t dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, size_t> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2},
      {"I32", 4},  {"U32", 4}, {"F32", 4}, {"I64", 8}, {"U64", 8}, {"F64", 8}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> result;
  for (const TensorEntry& entry : entries_) result.push_back(entry.name);
  return result;
}

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

const TensorEntry& SafetensorsFile::at(const std::string& name) const {
  const TensorEntry* entry = find(name);
  if (!entry) throw DataError(path_, kPrefix, str("expected a tensor named \"", name, "\", found none"));
  return *entry;
}

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  auto bytes = std::make_shared<const Bytes>(read_file(path));
  SafetensorsFile file = parse_safetensors(*bytes, path);
  check_seal(*bytes, file);
  file.owned_ = std::move(bytes);
  return file;
}

SafetensorsFile parse_safetensors(ByteSpan bytes, const std::string& path) {
  if (bytes.size < kPrefix)
    throw DataError(path, bytes.size, str("expected an 8-byte header length, found ", bytes.size, " bytes"));
  uint64_t length = 0;
  for (size_t i = 0; i < kPrefix; ++i) length |= uint64_t{bytes.data[i]} << (8 * i);
  if (length > bytes.size - kPrefix || length > kMaxHeader) {
    throw DataError(
        path, 0,
        str("header length ", length, " is larger than ", length > kMaxHeader ? "allowed" : "the file"));
  }
  if (length == 0 || bytes.data[kPrefix] != '{')
    throw DataError(path, kPrefix, "header does not start with '{'");
  const json header = parse_header({bytes.data + kPrefix, static_cast<size_t>(length)}, path);

  const uint64_t start = kPrefix + length;
  const ByteSpan data(bytes.data + start, bytes.size - static_cast<size_t>(start));
  SafetensorsFile file;
  file.path_ = path;
  for (const auto& [name, value] : header.items()) {
    if (name != kMetadata) {
      file.entries_.push_back(parse_entry(name, value, data, start, path));
      continue;
    }
    if (!value.is_object()) throw DataError(path, kPrefix, "__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) throw DataError(path, kPrefix, "__metadata__ holds something else than text");
      file.metadata_[key] = text.get<std::string>();
    }
  }
  std::stable_sort(file.entries_.begin(), file.entries_.end(),
                   [](const TensorEntry& a, const TensorEntry& b) {
                     return std::make_pair(a.data, a.bytes) < std::make_pair(b.data, b.bytes);
                   });
  check_cover(file.entries_, data, start, path);
  for (size_t i = 0; i < file.entries_.size(); ++i) file.index_[file.entries_[i].name] = i;
  return file;
}

void write_safetensors(const std::string& path, const std::vector<TensorEntry>& entries,
                       const std::map<std::string, std::string>& metadata, bool seal) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  const std::string no_digits(kDigits, '0');
  if (!metadata.empty() || seal) header[kMetadata] = metadata;
  if (seal) header[kMetadata][kSeal] = no_digits;
  std::vector<ByteSpan> parts(2);
  uint64_t offset = 0;
  for (const TensorEntry& entry : entries) {
    uint64_t bytes = 0;
    const size_t element = dtype_bytes(entry.dtype);
    ST_CHECK(element > 0, "write_safetensors: tensor \"", entry.name, "\" has the unknown dtype \"",
             entry.dtype, "\"");
    ST_CHECK(tensor_bytes(entry.shape, element, &bytes) && bytes == entry.bytes,
             "write_safetensors: tensor \"", entry.name, "\" has ", entry.bytes,
             " bytes, its shape and dtype need ", bytes);
    ST_CHECK(entry.name != kMetadata, "write_safetensors: the name __metadata__ is reserved");
    ST_CHECK(!header.contains(entry.name), "write_safetensors: two tensors are named \"", entry.name, "\"");
    header[entry.name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {offset, offset + bytes}}};
    parts.emplace_back(entry.data, entry.bytes);
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw UsageError("write_safetensors: a name or metadata text is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the first tensor aligned to 8 bytes
  ST_CHECK(text.size() <= kMaxHeader, "write_safetensors: a header of ", text.size(),
           " bytes is too large for the format");
  uint8_t prefix[kPrefix];
  for (size_t i = 0; i < kPrefix; ++i) prefix[i] = static_cast<uint8_t>(uint64_t{text.size()} >> (8 * i));
  parts[0] = {prefix, kPrefix};
  parts[1] = {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  if (seal) text.replace(seal_position(text, no_digits), kDigits, sha256_hex_of_parts(parts));
  write_file_atomic(path, parts);
}

}  // namespace spiketrain
