// CIFAR-10: small photographs; the format is in cifar.h.
// Augmentation, on request: a crop of a border of 4 pixels and a mirror.
// Tests: unit/cifar_test.cpp.
#include "spiketrain/data/images/cifar.h"
#include "spiketrain/data/images/image_dataset.h"

namespace spiketrain {
namespace {

struct Cifar10 final : ImageSource {
  static constexpr const char* kDoc = "small photographs, 3 x 32 x 32, 10 classes";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override {
    return {part_name(), kDoc, true, {3, 32, 32}, Batch::Form::image, TargetSpec::class_index(10)};
  }
  RawImages read(const DataOptions& options, bool train) const override {
    RawImages raw = read_cifar10(options.dir, train);
    raw.class_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                       "dog",      "frog",       "horse", "ship", "truck"};
    return raw;
  }
  ImageTransform plain() const override { return {{0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}}; }
  ImageTransform augmented() const override {
    ImageTransform transform = plain();
    transform.crop_border = 4;
    transform.flip = true;
    return transform;
  }
};
ST_REGISTER(DatasetSource, "cifar10", Cifar10);

}  // namespace
}  // namespace spiketrain
