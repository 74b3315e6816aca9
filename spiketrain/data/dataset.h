// Data sets: the interface, the options and the table of names.
// A sample is either a still image, float32, normalised, [C, H, W], or a sequence of T frames of events,
// uint8 counts, [T, C, H, W]; both row-major.  What a sample looks like depends on (options, index, epoch)
// only, never on threads or order, so a run can be resumed anywhere. Tests: unit/dataset_test.cpp and one
// file per data set.
#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/data/events/event_options.h"

namespace spiketrain {

/// Everything that selects a data set and a split of it.
struct DataOptions {
  std::string name = "glyphs";  ///< a name of dataset_infos()
  std::string dir;              ///< folder that holds mnist/, nmnist/, ...; unused by built-in sets
  std::string split = "train";  ///< train | validation | test
  uint64_t seed = 1;       ///< keys the validation split, augmentation and glyphs; not the order of samples
  int64_t validation = 0;  ///< samples moved from train to validation, chosen by seed
  /// Train split only: random crop of a black border of 2 pixels (mnist, fashion-mnist) or 4 (cifar10),
  /// random flip (fashion-mnist, cifar10).
  bool augment = false;
  double mean =
      std::numeric_limits<double>::quiet_NaN();  ///< x = (pixel / 255 - mean) / std; NaN: the data set's own
  double std = std::numeric_limits<double>::quiet_NaN();  ///< given values hold for every channel
  int64_t limit = 0;           ///< keep only the first `limit` samples of the split; 0: all
  int64_t train_size = 10000;  ///< built-in sets: number of training samples, validation included
  int64_t test_size = 2000;    ///< built-in sets: number of test samples
  int64_t steps = 0;           ///< sets of events: number of frames T
  EventOptions events;         ///< sets of events: framing, filters, augmentation; else at their defaults
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// T for sequences of T frames, read with get_frames(); 0 for still images, read with get().
  virtual int64_t steps() const { return 0; }
  /// {C, H, W} of an image, or of one frame.
  virtual std::vector<int64_t> sample_shape() const = 0;
  virtual int64_t classes() const = 0;
  /// Class of sample `index`, in [0, classes()).  UsageError if index is out of range.
  virtual int64_t label(int64_t index) const = 0;
  /// Writes image `index` of `epoch` to out[C*H*W].  Callable from many threads.  UsageError as for label(),
  /// and if the samples are sequences.
  virtual void get(int64_t index, int64_t epoch, float* out) const;
  /// Writes sequence `index` of `epoch` to out[T*C*H*W].  Callable from many threads.  UsageError as for
  /// label(), and if the samples are images.
  virtual void get_frames(int64_t index, int64_t epoch, uint8_t* out) const;
  /// One line: name, split, size, shape, normalisation.
  virtual std::string describe() const = 0;
};

/// Opens one split.  UsageError: unknown name (lists the names), bad option.  DataError: missing or malformed
/// file (a missing one is named together with the command that fetches it).
std::unique_ptr<Dataset> open_dataset(const DataOptions& options);

/// What `list` prints.
struct DatasetInfo {
  std::string name, doc;
  bool files;                  ///< reads files below DataOptions::dir
  std::vector<int64_t> shape;  ///< {C, H, W} of a sample; of the sensor for events, 0 if the files decide
  int64_t classes;             ///< 0 if the files decide
  bool events = false;         ///< sequences of frames of events
};
const std::vector<DatasetInfo>& dataset_infos();
/// UsageError that lists the names if there is no such data set.
const DatasetInfo& dataset_info(const std::string& name);

/// Indices of a split (`split`, `validation`, `limit`, `seed`) in the official part of `total` samples.
/// UsageError: validation takes all there are.
std::vector<int64_t> split_indices(const DataOptions& options, int64_t total);

/// Raw images as the parsers return them: all samples of one official part.
struct RawImages {
  int64_t channels = 1, height = 0, width = 0, classes = 10;
  std::vector<uint8_t> pixels;  ///< [N, C, H, W]
  std::vector<uint8_t> labels;  ///< [N]
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t sample_bytes() const { return channels * height * width; }
};

/// Normalisation, one value or one per channel, and augmentation of an ImageDataset.
struct ImageTransform {
  std::vector<double> mean{0.0}, std{1.0};
  int64_t crop_border = 0;  ///< pad by so many black pixels, then crop back at a random place; 0: off
  bool flip = false;        ///< mirror left-right with probability 1/2
  uint64_t seed = 1;  ///< keys crop and flip together with epoch and the sample's index in the official part
};

/// A data set held in memory as bytes.  `indices` selects and orders samples of `raw`.
/// UsageError: std not positive, wrong number of channels values, index out of range.
std::unique_ptr<Dataset> make_image_dataset(std::string description, std::shared_ptr<const RawImages> raw,
                                            std::vector<int64_t> indices, ImageTransform transform);

}  // namespace spiketrain
