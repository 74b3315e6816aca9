// A data set: noisy bars, four horizontal and four vertical, 8 x 8 pixels.  Splits, limits and normalisation come with
// ImageSource; what is read from files would be read below options.dir.
#include <random>

#include "spiketrain/data/images/image_dataset.h"

namespace {

using namespace spiketrain;

constexpr int kSide = 8, kClasses = 8;

/// Bar `label % 4` across (label < 4) or down, bright, on a dim background.
void draw(std::mt19937_64& random, int label, std::vector<uint8_t>& pixels) {
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const bool bar = (label < 4 ? y : x) / 2 == label % 4;
      pixels.push_back(static_cast<uint8_t>(random() % 100 + (bar ? 100 : 0)));
    }
  }
}

struct MyBars final : ImageSource {
  static constexpr const char* kDoc = "noisy bars, 1 x 8 x 8, 8 classes";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override {
    return {part_name(),        kDoc,
            /*files=*/false,    {1, kSide, kSide},
            Batch::Form::image, TargetSpec::class_index(kClasses)};
  }
  RawImages read(const DataOptions& options, bool train) const override {
    std::mt19937_64 random(2 * options.seed + (train ? 0 : 1));  // the same samples for the same seed
    RawImages raw;
    raw.height = raw.width = kSide;
    raw.classes = kClasses;
    const int64_t count = train ? options.train_size : options.test_size;
    for (int64_t i = 0; i < count; ++i) {
      const auto label = static_cast<int>(random() % kClasses);
      raw.labels.push_back(static_cast<uint8_t>(label));
      draw(random, label, raw.pixels);
    }
    return raw;
  }
  ImageTransform plain() const override { return {{0.3}, {0.2}}; }
};
ST_REGISTER(DatasetSource, "my-bars", MyBars);

}  // namespace
