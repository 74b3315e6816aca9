// Parser of IDX files and reader of the data sets that use it; format in idx.h.
#include "spiketrain/data/images/idx.h"

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/base/gunzip.h"

namespace spiketrain {
namespace {

constexpr int kMaxDims = 4;
constexpr int64_t kIdxClasses = 10;
constexpr uint64_t kMostLabels = uint64_t{1} << 30;  ///< they are kept in memory
constexpr uint64_t kMostPixels = uint64_t{1} << 30;  ///< of one image
constexpr uint64_t kMaxHeader = 4 + 4 * kMaxDims;

std::string find_file(const std::string& name, const std::string& dir, const std::string& file) {
  const std::string path = str(dir, "/", name, "/", file);
  // The official file first: it is the one that `data check` compares with its checksum.
  for (const std::string& candidate : {path + ".gz", path}) {
    if (file_exists(candidate)) return candidate;
  }
  throw DataError(path, 0,
                  str("no such file, nor with .gz; run: spiketrain data fetch ", name, " --data-dir ", dir));
}

struct IdxHeader {
  std::vector<int64_t> shape;
  uint64_t bytes = 0;   ///< of the header
  uint64_t values = 0;  ///< that follow it
};

IdxHeader parse_header(ByteSpan bytes, const std::string& path) {
  if (bytes.size < 4)
    throw DataError(path, bytes.size, str("expected a 4-byte IDX magic, found ", bytes.size, " bytes"));
  if (bytes.data[0] != 0 || bytes.data[1] != 0)
    throw DataError(path, 0, "not an IDX file: it does not start with two zero bytes");
  if (bytes.data[2] != 8)
    throw DataError(path, 2, str("expected IDX type 8 (u8), found ", int{bytes.data[2]}));
  const int dims = bytes.data[3];
  if (dims < 1 || dims > kMaxDims)
    throw DataError(path, 3, str("expected 1 to ", kMaxDims, " dimensions, found ", dims));
  const size_t header = 4 + 4 * static_cast<size_t>(dims);
  if (bytes.size < header)
    throw DataError(path, bytes.size, str("expected ", header, " header bytes, found ", bytes.size));

  IdxHeader result;
  result.bytes = header;
  uint64_t count = 1;
  for (size_t at = 4; at < header; at += 4) {
    const uint64_t size = (uint64_t{bytes.data[at]} << 24) | (uint64_t{bytes.data[at + 1]} << 16) |
                          (uint64_t{bytes.data[at + 2]} << 8) | uint64_t{bytes.data[at + 3]};
    result.shape.push_back(static_cast<int64_t>(size));
    // A zero dimension would let the others lie without limit.
    if (size == 0) throw DataError(path, at, "dimension is zero");
    if (__builtin_mul_overflow(count, size, &count)) throw DataError(path, at, "dimensions overflow");
  }
  result.values = count;
  return result;
}

void check_values(const IdxHeader& header, uint64_t file_bytes, const std::string& path) {
  const uint64_t found = file_bytes - header.bytes;
  if (found == header.values) return;
  throw DataError(path, header.bytes + std::min(found, header.values),
                  str("dimensions need ", header.values, " values, found ", found));
}

/// Of a file that is packed no more is unpacked than its header declares.
SizeInHeader declared_size(const std::string& path, uint64_t max_bytes) {
  return [path, max_bytes](ByteSpan head) {
    const IdxHeader header = parse_header(head, path);
    if (header.values > max_bytes - header.bytes) {
      throw DataError(
          path, 4,
          str("dimensions need ", header.values, " values; expected at most ", max_bytes - header.bytes));
    }
    return header.bytes + header.values;
  };
}

/// The labels, all below kIdxClasses.
std::vector<uint8_t> read_labels(const std::string& path, int64_t images) {
  const Bytes file = read_gzip_or_plain(path, kMostLabels, declared_size(path, kMostLabels));
  const IdxArray labels = parse_idx(file, path);
  if (labels.shape.size() != 1)
    throw DataError(path, 3, str("expected 1 dimension, found ", labels.shape.size()));
  if (labels.shape[0] != images)
    throw DataError(path, 4,
                    str("expected a label for each of ", images, " images, found ", labels.shape[0]));
  for (size_t i = 0; i < labels.values.size; ++i) {
    if (labels.values.data[i] >= kIdxClasses) {
      throw DataError(path, 8 + i,
                      str("expected a label below ", kIdxClasses, ", found ", int{labels.values.data[i]}));
    }
  }
  return {labels.values.data, labels.values.data + labels.values.size};
}

}  // namespace

IdxArray parse_idx(ByteSpan bytes, const std::string& path) {
  const IdxHeader header = parse_header(bytes, path);
  check_values(header, bytes.size, path);
  return {header.shape, {bytes.data + header.bytes, static_cast<size_t>(header.values)}};
}

RawImages read_idx_pair(const std::string& images_path, const std::string& labels_path) {
  const auto images = open_gzip_or_plain(images_path, UINT64_MAX, declared_size(images_path, INT64_MAX));
  const IdxHeader header = parse_header(images->read(0, std::min(images->size(), kMaxHeader)), images_path);
  check_values(header, images->size(), images_path);
  if (header.shape.size() != 3)
    throw DataError(images_path, 3, str("expected 3 dimensions, found ", header.shape.size()));
  const int64_t count = header.shape[0];
  const uint64_t pixels = header.values / static_cast<uint64_t>(count);
  if (pixels > kMostPixels)
    throw DataError(images_path, 8,
                    str("expected images of at most ", kMostPixels, " pixels, found ", pixels));
  RawImages raw;
  raw.height = header.shape[1];
  raw.width = header.shape[2];
  raw.classes = kIdxClasses;
  raw.labels = read_labels(labels_path, count);
  raw.files = {{images, header.bytes, pixels, count}};
  return raw;
}

RawImages read_idx_dataset(const std::string& name, const std::string& dir, bool train) {
  const std::string part = train ? "train" : "t10k";
  const std::string images = find_file(name, dir, part + "-images-idx3-ubyte");
  const std::string labels = find_file(name, dir, part + "-labels-idx1-ubyte");
  return read_idx_pair(images, labels);
}

}  // namespace spiketrain
