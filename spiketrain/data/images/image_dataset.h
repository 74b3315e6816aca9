// Data sets of static images with classes: bytes, in memory or read from files sample by sample (raw_images.h).
//   x = (pixel / 255 - mean) / std, after a random turn, scaling, crop and flip of the training split
// The sample's id is its index in the official part; it keys these together with seed and epoch.
// Tests: unit/dataset_test.cpp, unit/cifar_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/data/images/raw_images.h"
#include "spiketrain/data/source.h"

namespace spiketrain {

/// Normalisation, one value or one per channel, and augmentation.
struct ImageTransform {
  std::vector<double> mean{0.0}, std{1.0};
  int64_t crop_border = 0;  ///< pad by so many black pixels, then crop back at a random place; 0: off
  bool flip = false;        ///< mirror left-right with probability 1/2
  double rotate = 0;        ///< before that, turn by up to so many degrees, and
  double zoom = 0;          ///< scale by a factor between 1/(1 + zoom) and 1 + zoom, alike in logarithm
  uint64_t seed = 1;
};

/// `indices` selects and orders samples of `raw`.  UsageError: std not positive, wrong number of channels'
/// values, index out of range.
std::unique_ptr<Dataset> make_image_dataset(std::string description, std::shared_ptr<const RawImages> raw,
                                            std::vector<int64_t> indices, ImageTransform transform);

/// Splits, limits, normalisation and augmentation of whatever read() returns.
struct ImageSource : DatasetSource {
  /// UsageError also: options of events; augmentation of a set that has none.
  std::unique_ptr<Dataset> open(const DataOptions& options) const override;

 protected:
  /// One official part; its pixels may stay in files.
  virtual RawImages read(const DataOptions& options, bool train) const = 0;
  /// Of every split.
  virtual ImageTransform plain() const = 0;
  /// Of the training split with DataOptions::augment; the same as plain(): there is none.
  virtual ImageTransform augmented() const { return plain(); }
};

}  // namespace spiketrain
