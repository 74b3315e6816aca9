// Fashion-MNIST: articles of clothing.  Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset
// for benchmarking machine learning algorithms", 2017.
// Normalised with MNIST's constants, as by the authors of TSSL-BP.  Augmentation, on request: a shift by up
// to 2 pixels and a mirror.
// Tests: unit/dataset_test.cpp, unit/idx_test.cpp.
#include "spiketrain/data/images/idx.h"
#include "spiketrain/data/images/image_dataset.h"

namespace spiketrain {
namespace {

struct FashionMnist final : ImageSource {
  static constexpr const char* kDoc = "articles of clothing, 1 x 28 x 28, 10 classes";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override {
    return {part_name(), kDoc, true, {1, 28, 28}, Batch::Form::image, TargetSpec::class_index(10)};
  }
  RawImages read(const DataOptions& options, bool train) const override {
    RawImages raw = read_idx_dataset(part_name(), options.dir, train);
    raw.class_names = {"t-shirt/top", "trouser", "pullover", "dress", "coat",
                       "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
    return raw;
  }
  ImageTransform plain() const override { return {{0.1307}, {0.3081}}; }
  ImageTransform augmented() const override { return {{0.1307}, {0.3081}, 2, true}; }
};
ST_REGISTER(DatasetSource, "fashion-mnist", FashionMnist);

}  // namespace
}  // namespace spiketrain
