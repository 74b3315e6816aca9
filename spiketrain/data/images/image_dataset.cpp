#include "spiketrain/data/images/image_dataset.h"

#include <cmath>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/images/warp.h"
#include "spiketrain/data/reads_ahead.h"

namespace spiketrain {
namespace {

class ImageDataset final : public Dataset, public ReadsAhead {
 public:
  ImageDataset(std::string description, std::shared_ptr<const RawImages> raw, std::vector<int64_t> indices,
               ImageTransform transform)
      : description_(std::move(description)),
        raw_(std::move(raw)),
        indices_(std::move(indices)),
        transform_(std::move(transform)),
        sample_(SampleSpec::image({raw_->channels, raw_->height, raw_->width})),
        target_(TargetSpec::class_index(raw_->classes, raw_->class_names)) {
    check_pixels();
    for (int64_t i : indices_)
      ST_CHECK(i >= 0 && i < raw_->size(), "image data set: index ", i, " of ", raw_->size());
    ST_CHECK(transform_.crop_border >= 0, "image data set: expected crop_border >= 0, got ",
             transform_.crop_border);
    const auto channels = static_cast<size_t>(raw_->channels);
    for (auto* values : {&transform_.mean, &transform_.std}) {
      ST_CHECK(values->size() == 1 || values->size() == channels, "image data set: expected 1 or ", channels,
               " values of mean and std, got ", values->size());
      if (values->size() == 1) values->resize(channels, values->front());
    }
    for (size_t c = 0; c < channels; ++c) {
      const double mean = transform_.mean[c], std = transform_.std[c];
      ST_CHECK(std::isfinite(mean) && std::isfinite(std) && std > 0,
               "image data set: expected a finite mean and std > 0, got mean ", mean, " and std ", std);
      for (int v = 0; v < 256; ++v) table_.push_back(static_cast<float>((v / 255.0 - mean) / std));
    }
  }

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t index) const override { return raw_->labels[static_cast<size_t>(id(index))]; }
  int64_t id(int64_t index) const override {
    ST_CHECK(index >= 0 && index < size(), "data set: expected an index below ", size(), ", got ", index);
    return indices_[static_cast<size_t>(index)];
  }
  std::string describe() const override { return description_; }
  void read_ahead(const int64_t* indices, int64_t count) const override {
    for (int64_t i = 0; i < count; ++i) raw_->will_read(id(indices[i]));
  }

  void read(int64_t index, int64_t epoch, void* to) const override {
    auto* out = static_cast<float*>(to);
    const int64_t i = id(index), border = transform_.crop_border, height = raw_->height, width = raw_->width;
    int64_t shift_y = 0, shift_x = 0;
    bool flip = false;
    std::vector<uint8_t> pixels(static_cast<size_t>(raw_->sample_bytes()));
    raw_->read(i, pixels.data());
    Rng rng(transform_.seed, Purpose::augment, static_cast<uint64_t>(epoch), static_cast<uint64_t>(i));
    if (border > 0 || transform_.flip) {
      shift_y = static_cast<int64_t>(rng.below(2 * border + 1)) - border;
      shift_x = static_cast<int64_t>(rng.below(2 * border + 1)) - border;
      flip = (rng.next() & 1) != 0 && transform_.flip;
    }
    if (transform_.rotate > 0 || transform_.zoom > 0) warp(pixels, rng);
    for (int64_t c = 0; c < raw_->channels; ++c) {
      const float* table = table_.data() + c * 256;
      for (int64_t y = 0; y < height; ++y) {
        const int64_t from_y = y + shift_y;
        const bool inside = from_y >= 0 && from_y < height;
        const uint8_t* row = pixels.data() + (c * height + (inside ? from_y : 0)) * width;
        for (int64_t x = 0; x < width; ++x) {
          const int64_t from_x = (flip ? width - 1 - x : x) + shift_x;
          *out++ = table[inside && from_x >= 0 && from_x < width ? row[from_x] : 0];  // the border is black
        }
      }
    }
  }

 private:
  void warp(std::vector<uint8_t>& pixels, Rng& rng) const {
    const double degree = std::acos(-1.0) / 180, most = std::log1p(transform_.zoom);
    const double angle = degree * transform_.rotate * rng.uniform(-1, 1),
                 scale = std::exp(most * rng.uniform(-1, 1));
    std::vector<uint8_t> warped(pixels.size());
    for (int64_t c = 0; c < raw_->channels; ++c) {
      const int64_t at = c * raw_->height * raw_->width;
      warp_image(pixels.data() + at, raw_->height, raw_->width, angle, scale, warped.data() + at);
    }
    pixels = std::move(warped);
  }
  void check_pixels() const {
    const int64_t bytes = raw_->sample_bytes();
    int64_t samples = bytes > 0 ? static_cast<int64_t>(raw_->pixels.size()) / bytes : 0;
    for (const PixelFile& part : raw_->files) samples += part.count;
    ST_CHECK(samples == raw_->size(), "image data set: expected pixels for each of ", raw_->size(),
             " labels, got those of ", samples, " samples");
  }

  std::string description_;
  std::shared_ptr<const RawImages> raw_;
  std::vector<int64_t> indices_;
  ImageTransform transform_;
  SampleSpec sample_;
  TargetSpec target_;
  std::vector<float> table_;  // [C,256]: byte to normalised value
};

}  // namespace

std::unique_ptr<Dataset> make_image_dataset(std::string description, std::shared_ptr<const RawImages> raw,
                                            std::vector<int64_t> indices, ImageTransform transform) {
  ST_CHECK(raw != nullptr, "image data set: expected images");
  return std::make_unique<ImageDataset>(std::move(description), std::move(raw), std::move(indices),
                                        std::move(transform));
}

std::unique_ptr<Dataset> ImageSource::open(const DataOptions& options) const {
  const std::string name = info().name;
  const ImageTransform more = augmented();
  ST_CHECK(!options.augment || more.crop_border > 0 || more.flip, "data: ", name,
           " has no augmentation; set augment = false");
  check_no_event_options(options, name, "images");
  ST_CHECK(options.rotate >= 0 && options.rotate <= 180 && options.zoom >= 0 && options.zoom < 1,
           "data: expected rotate from 0 to 180 degrees and zoom from 0 up to, but not, 1, got ",
           options.rotate, " and ", options.zoom);
  const bool train = options.split == "train", augment = train && options.augments_images();
  ImageTransform transform = train && options.augment ? more : plain();
  if (train) transform.rotate = options.rotate, transform.zoom = options.zoom;
  transform.seed = options.seed;
  if (!std::isnan(options.mean)) transform.mean = {options.mean};
  if (!std::isnan(options.std)) transform.std = {options.std};
  auto raw = std::make_shared<const RawImages>(read(options, options.split != "test"));
  std::vector<int64_t> indices = split_indices(options, raw->size());
  std::string description = str(name, " ", options.split, ": ", indices.size(), " samples of ", raw->channels,
                                "x", raw->height, "x", raw->width, ", ", raw->classes, " classes, mean ",
                                transform.mean[0], ", std ", transform.std[0], augment ? ", augmented" : "");
  return make_image_dataset(std::move(description), std::move(raw), std::move(indices), std::move(transform));
}

}  // namespace spiketrain
