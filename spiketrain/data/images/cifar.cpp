// Parser and reader of CIFAR-10 batches; format in cifar.h.
#include "spiketrain/data/images/cifar.h"

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/base/input_file.h"

namespace spiketrain {
namespace {

constexpr int64_t kCifarClasses = 10;
constexpr size_t kPixels = 3 * 32 * 32;
constexpr size_t kImageRecord = 1 + kPixels;
constexpr uint64_t kPiece = kImageRecord * 341;  ///< about a MiB

std::string find_folder(const std::string& dir, const std::string& file) {
  for (const char* inner : {"/cifar10/cifar-10-batches-bin", "/cifar10", "/cifar-10-batches-bin", ""}) {
    if (file_exists(dir + inner + "/" + file)) return dir + inner;
  }
  throw DataError(dir + "/cifar10/cifar-10-batches-bin/" + file, 0,
                  "no such file; run: spiketrain data fetch cifar10 --data-dir " + dir);
}

void check_cifar_size(uint64_t bytes, const std::string& path) {
  if (bytes > 0 && bytes % kImageRecord == 0) return;
  throw DataError(path, bytes / kImageRecord * kImageRecord,
                  str("expected records of ", kImageRecord, " bytes, found ", bytes, " bytes in all"));
}

void add_batch(const std::string& path, RawImages& raw) {
  const auto file = std::make_shared<const InputFile>(path);
  check_cifar_size(file->size(), path);
  for (uint64_t at = 0; at < file->size(); at += kPiece)
    parse_cifar10(file->read(at, std::min(kPiece, file->size() - at)), path, at, raw.labels);
  raw.files.push_back({file, 1, kImageRecord, static_cast<int64_t>(file->size() / kImageRecord)});
}

}  // namespace

void parse_cifar10(ByteSpan records, const std::string& path, uint64_t offset, std::vector<uint8_t>& labels) {
  check_cifar_size(records.size, path);
  for (size_t at = 0; at < records.size; at += kImageRecord) {
    const int label = records.data[at];
    if (label >= kCifarClasses)
      throw DataError(path, offset + at, str("expected a label below ", kCifarClasses, ", found ", label));
  }
  for (size_t at = 0; at < records.size; at += kImageRecord) labels.push_back(records.data[at]);
}

RawImages read_cifar10(const std::string& dir, bool train) {
  const std::string folder = find_folder(dir, train ? "data_batch_1.bin" : "test_batch.bin");
  RawImages raw;
  raw.channels = 3;
  raw.height = raw.width = 32;
  raw.classes = kCifarClasses;
  if (!train) add_batch(folder + "/test_batch.bin", raw);
  for (int i = 1; train && i <= 5; ++i) add_batch(str(folder, "/data_batch_", i, ".bin"), raw);
  return raw;
}

}  // namespace spiketrain
