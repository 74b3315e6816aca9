#include "spiketrain/data/images/raw_images.h"

#include <cstring>

#include "spiketrain/base/check.h"
#include "spiketrain/base/input_file.h"

namespace spiketrain {
namespace {

struct PixelPlace {
  const InputFile* file;
  uint64_t offset;
};

PixelPlace place_in_files(const RawImages& raw, int64_t index) {
  int64_t left = index;
  for (const PixelFile& part : raw.files) {
    if (left >= 0 && left < part.count)
      return {part.file.get(), part.first + static_cast<uint64_t>(left) * part.stride};
    left -= part.count;
  }
  throw UsageError(str("images: no pixels of sample ", index, " of ", raw.size()));
}

}  // namespace

void RawImages::read(int64_t index, uint8_t* out) const {
  const auto bytes = static_cast<size_t>(sample_bytes());
  if (!files.empty()) {
    const PixelPlace place = place_in_files(*this, index);
    return place.file->read(place.offset, bytes, out);
  }
  ST_CHECK(index >= 0 && (static_cast<size_t>(index) + 1) * bytes <= pixels.size(),
           "images: no pixels of sample ", index, " of ", size());
  std::memcpy(out, pixels.data() + static_cast<size_t>(index) * bytes, bytes);
}

void RawImages::will_read(int64_t index) const {
  if (files.empty()) return;
  const PixelPlace place = place_in_files(*this, index);
  place.file->will_read(place.offset, static_cast<size_t>(sample_bytes()));
}

}  // namespace spiketrain
