// Names of the data sets, their splits, and the in-memory image data set they all share.
#include "spiketrain/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/cifar.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/glyphs.h"
#include "spiketrain/data/idx.h"

namespace spiketrain {
namespace {

class ImageDataset final : public Dataset {
 public:
  ImageDataset(std::string description, std::shared_ptr<const RawImages> raw, std::vector<int64_t> indices,
               ImageTransform transform)
      : description_(std::move(description)),
        raw_(std::move(raw)),
        indices_(std::move(indices)),
        transform_(std::move(transform)) {
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
  std::vector<int64_t> sample_shape() const override { return {raw_->channels, raw_->height, raw_->width}; }
  int64_t classes() const override { return raw_->classes; }
  int64_t label(int64_t index) const override { return raw_->labels[raw_index(index)]; }
  std::string describe() const override { return description_; }

  void get(int64_t index, int64_t epoch, float* out) const override {
    const int64_t i = raw_index(index), border = transform_.crop_border, height = raw_->height,
                  width = raw_->width;
    int64_t shift_y = 0, shift_x = 0;
    bool flip = false;
    if (border > 0 || transform_.flip) {
      Rng rng(transform_.seed, Purpose::augment, static_cast<uint64_t>(epoch), static_cast<uint64_t>(i));
      shift_y = static_cast<int64_t>(rng.below(2 * border + 1)) - border;
      shift_x = static_cast<int64_t>(rng.below(2 * border + 1)) - border;
      flip = (rng.next() & 1) != 0 && transform_.flip;
    }
    const uint8_t* pixels = raw_->pixels.data() + i * raw_->sample_bytes();
    for (int64_t c = 0; c < raw_->channels; ++c) {
      const float* table = table_.data() + c * 256;
      for (int64_t y = 0; y < height; ++y) {
        const int64_t from_y = y + shift_y;
        const bool inside = from_y >= 0 && from_y < height;
        const uint8_t* row = pixels + (c * height + (inside ? from_y : 0)) * width;
        for (int64_t x = 0; x < width; ++x) {
          const int64_t from_x = (flip ? width - 1 - x : x) + shift_x;
          *out++ = table[inside && from_x >= 0 && from_x < width ? row[from_x] : 0];  // the border is black
        }
      }
    }
  }

 private:
  int64_t raw_index(int64_t index) const {
    ST_CHECK(index >= 0 && index < size(), "data set: expected an index below ", size(), ", got ", index);
    return indices_[static_cast<size_t>(index)];
  }

  std::string description_;
  std::shared_ptr<const RawImages> raw_;
  std::vector<int64_t> indices_;
  ImageTransform transform_;
  std::vector<float> table_;  // [C, 256]: byte to normalised value
};

struct Source {
  DatasetInfo info;
  ImageTransform plain, augmented;  // augmented equals plain where no augmentation is defined
  std::function<RawImages(const DataOptions&, bool train)> read;
};

const std::vector<Source>& sources() {
  static const std::vector<Source> list = [] {
    // The authors of TSSL-BP use MNIST's constants for Fashion-MNIST too.
    ImageTransform idx, cifar, glyphs;
    idx.mean = {0.1307}, idx.std = {0.3081};
    cifar.mean = {0.4914, 0.4822, 0.4465}, cifar.std = {0.2023, 0.1994, 0.2010};
    glyphs.mean = {kGlyphMean}, glyphs.std = {kGlyphStd};
    ImageTransform cifar_augmented = cifar, digits_augmented = idx, clothes_augmented = idx;
    cifar_augmented.crop_border = 4, cifar_augmented.flip = true;
    digits_augmented.crop_border = 2;  // a mirrored digit is none
    clothes_augmented.crop_border = 2, clothes_augmented.flip = true;
    auto read_idx = [](const DataOptions& o, bool train) { return read_idx_dataset(o.name, o.dir, train); };
    auto read_cifar = [](const DataOptions& o, bool train) { return read_cifar10(o.dir, train); };
    auto draw = [](const DataOptions& o, bool train) {
      return draw_glyphs(o.seed, train ? GlyphSplit::train : GlyphSplit::test,
                         train ? o.train_size : o.test_size);
    };
    return std::vector<Source>{
        {{"glyphs",
          "drawn digits, 1 x 28 x 28, 10 classes; built in, needs no files",
          false,
          {1, 28, 28},
          10},
         glyphs,
         glyphs,
         draw},
        {{"mnist", "handwritten digits, 1 x 28 x 28, 10 classes", true, {1, 28, 28}, 10},
         idx,
         digits_augmented,
         read_idx},
        {{"fashion-mnist", "articles of clothing, 1 x 28 x 28, 10 classes", true, {1, 28, 28}, 10},
         idx,
         clothes_augmented,
         read_idx},
        {{"cifar10", "small photographs, 3 x 32 x 32, 10 classes", true, {3, 32, 32}, 10},
         cifar,
         cifar_augmented,
         read_cifar}};
  }();
  return list;
}

const Source& find_source(const std::string& name) {
  for (const Source& source : sources()) {
    if (source.info.name == name) return source;
  }
  throw UsageError(str("\"", name, "\" is no data set of images"));
}

void check_options(const DataOptions& o, const DatasetInfo& info) {
  ST_CHECK(o.split == "train" || o.split == "validation" || o.split == "test",
           "data: expected split train, validation or test, got \"", o.split, "\"");
  ST_CHECK(o.validation >= 0 && o.limit >= 0, "data: expected validation >= 0 and limit >= 0, got ",
           o.validation, " and ", o.limit);
  ST_CHECK(o.split != "validation" || o.validation > 0,
           "data: the validation split is empty; set validation to the number of samples to take from train");
  ST_CHECK(o.train_size > 0 && o.test_size > 0, "data: expected train_size > 0 and test_size > 0, got ",
           o.train_size, " and ", o.test_size);
  ST_CHECK(!info.files || !o.dir.empty() || o.name == "event-folder", "data: ", o.name,
           " is read from files; give the folder that holds ", o.name,
           "/ with --data-dir (or SPIKETRAIN_DATA); to get them: spiketrain data ",
           info.events ? "check " : "fetch ", o.name, " --data-dir DIR");
}

void check_image_options(const DataOptions& o, const Source& source) {
  ST_CHECK(!o.augment || source.augmented.crop_border > 0, "data: ", o.name,
           " has no augmentation; set augment = false");
  EventOptions given = o.events, defaults;  // visit() is not const
  ST_CHECK(write_options(given) == write_options(defaults), "data: ", o.name,
           " holds images, to which [events] does not apply; leave that section out");
}

}  // namespace

std::vector<int64_t> split_indices(const DataOptions& o, int64_t total) {
  std::vector<int64_t> indices(static_cast<size_t>(total));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  if (o.split != "test" && o.validation > 0) {
    ST_CHECK(o.validation < total, "data: expected validation < ", total, " (all training samples), got ",
             o.validation);
    indices = permutation(total, Rng(o.seed, Purpose::split));
    const auto cut = indices.end() - o.validation;
    indices = o.split == "train" ? std::vector<int64_t>(indices.begin(), cut)
                                 : std::vector<int64_t>(cut, indices.end());
    std::sort(indices.begin(), indices.end());
  }
  if (o.limit > 0 && o.limit < static_cast<int64_t>(indices.size()))
    indices.resize(static_cast<size_t>(o.limit));
  return indices;
}

void Dataset::get(int64_t, int64_t, float*) const {
  throw UsageError(str(describe(), ": the samples are sequences; read them with get_frames()"));
}

void Dataset::get_frames(int64_t, int64_t, uint8_t*) const {
  throw UsageError(str(describe(), ": the samples are still images; read them with get()"));
}

std::unique_ptr<Dataset> make_image_dataset(std::string description, std::shared_ptr<const RawImages> raw,
                                            std::vector<int64_t> indices, ImageTransform transform) {
  return std::make_unique<ImageDataset>(std::move(description), std::move(raw), std::move(indices),
                                        std::move(transform));
}

const std::vector<DatasetInfo>& dataset_infos() {
  static const std::vector<DatasetInfo> infos = [] {
    std::vector<DatasetInfo> result;
    for (const Source& source : sources()) result.push_back(source.info);
    for (const DatasetInfo& info : event_set_infos()) result.push_back(info);
    return result;
  }();
  return infos;
}

const DatasetInfo& dataset_info(const std::string& name) {
  std::vector<std::string> known;
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.name == name) return info;
    known.push_back(info.name);
  }
  const std::string guess = nearest(name, known);
  throw UsageError(str("unknown data set '", name, "'",
                       guess.empty() ? "." : "; did you mean '" + guess + "'?", " Known: ", join(known)));
}

std::unique_ptr<Dataset> open_dataset(const DataOptions& options) {
  const DatasetInfo& info = dataset_info(options.name);
  check_options(options, info);
  if (info.events) return open_event_dataset(options);
  const Source& source = find_source(options.name);
  check_image_options(options, source);
  const bool augment = options.augment && options.split == "train";
  ImageTransform transform = augment ? source.augmented : source.plain;
  transform.seed = options.seed;
  if (!std::isnan(options.mean)) transform.mean = {options.mean};
  if (!std::isnan(options.std)) transform.std = {options.std};
  auto raw = std::make_shared<const RawImages>(source.read(options, options.split != "test"));
  std::vector<int64_t> indices = split_indices(options, raw->size());
  std::string description =
      str(options.name, " ", options.split, ": ", indices.size(), " samples of ", raw->channels, "x",
          raw->height, "x", raw->width, ", ", raw->classes, " classes, mean ", transform.mean[0], ", std ",
          transform.std[0], augment ? ", augmented" : "");
  return make_image_dataset(std::move(description), std::move(raw), std::move(indices), std::move(transform));
}

}  // namespace spiketrain
