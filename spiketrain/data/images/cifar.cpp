// Parser and reader of CIFAR-10 batches; format in cifar.h.
#include "spiketrain/data/images/cifar.h"

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

constexpr int64_t kClasses = 10;
constexpr size_t kPixels = 3 * 32 * 32;
constexpr size_t kRecord = 1 + kPixels;
/// Official batches hold 10,000 records; whoever makes their own may put all into one.
constexpr uint64_t kMaxFile = kRecord * 100'000;

std::string find_folder(const std::string& dir, const std::string& file) {
  for (const char* inner : {"/cifar10/cifar-10-batches-bin", "/cifar10", "/cifar-10-batches-bin", ""}) {
    if (file_exists(dir + inner + "/" + file)) return dir + inner;
  }
  throw DataError(dir + "/cifar10/cifar-10-batches-bin/" + file, 0,
                  "no such file; run: spiketrain data fetch cifar10 --data-dir " + dir);
}

}  // namespace

void parse_cifar10(ByteSpan bytes, const std::string& path, RawImages& out) {
  const size_t records = bytes.size / kRecord;
  if (bytes.size == 0 || bytes.size % kRecord != 0) {
    throw DataError(path, records * kRecord,
                    str("expected records of ", kRecord, " bytes, found ", bytes.size, " bytes in all"));
  }
  for (size_t i = 0; i < records; ++i) {
    const int label = bytes.data[i * kRecord];
    if (label >= kClasses)
      throw DataError(path, i * kRecord, str("expected a label below ", kClasses, ", found ", label));
  }
  out.channels = 3;
  out.height = out.width = 32;
  out.classes = kClasses;
  out.pixels.reserve(out.pixels.size() + records * kPixels);
  for (size_t i = 0; i < records; ++i) {
    const uint8_t* record = bytes.data + i * kRecord;
    out.labels.push_back(record[0]);
    out.pixels.insert(out.pixels.end(), record + 1, record + kRecord);
  }
}

RawImages read_cifar10(const std::string& dir, bool train) {
  const std::string folder = find_folder(dir, train ? "data_batch_1.bin" : "test_batch.bin");
  RawImages raw;
  for (int i = 1; i <= (train ? 5 : 1); ++i) {
    const std::string path = folder + (train ? str("/data_batch_", i, ".bin") : "/test_batch.bin");
    const Bytes bytes = read_file(path, kMaxFile);
    if (train && i == 1) raw.pixels.reserve(5 * bytes.size());
    parse_cifar10(bytes, path, raw);
  }
  return raw;
}

}  // namespace spiketrain
