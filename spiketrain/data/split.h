// What selects a data set and a split of it.  Tests: unit/dataset_test.cpp.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "spiketrain/data/events/event_options.h"
#include "spiketrain/data/table/table_options.h"

namespace spiketrain {

struct DataOptions {
  std::string name = "glyphs";  ///< of a registered data set, see dataset_infos()
  std::string dir;              ///< folder that holds mnist/, nmnist/, ...; unused by built-in sets
  std::string split = "train";  ///< train | validation | test
  uint64_t seed = 1;  ///< keys the validation split, augmentation and built-in sets; not the order of samples
  int64_t validation = 0;  ///< samples moved from train to validation, chosen by seed
  /// Train split of images only: random crop of a black border of 2 pixels (mnist, fashion-mnist) or 4
  /// (cifar10), random flip (fashion-mnist, cifar10).
  bool augment = false;
  /// The same: turned by up to so many degrees, scaled by a factor between 1/(1 + zoom) and 1 + zoom (data/images/warp.h).
  double rotate = 0, zoom = 0;
  bool augments_images() const { return augment || rotate != 0 || zoom != 0; }
  /// Images: x = (pixel / 255 - mean) / std, the same for every channel; NaN: the data set's own.
  double mean = std::numeric_limits<double>::quiet_NaN(), std = std::numeric_limits<double>::quiet_NaN();
  int64_t limit = 0;           ///< keep only the first `limit` samples of the split; 0: all
  int64_t train_size = 10000;  ///< built-in sets: number of training samples, validation included
  int64_t test_size = 2000;    ///< built-in sets: number of test samples
  int64_t steps = 0;           ///< sets of frames: number of them T
  EventOptions events;         ///< sets of events: framing, filters, augmentation; else at their defaults
  TableOptions table;          ///< the set `table`: file, columns, folds, scaling; else at their defaults
};

/// Indices of a split (`split`, `validation`, `limit`, `seed`) in the official part of `total` samples.
/// UsageError: validation takes all there are.
std::vector<int64_t> split_indices(const DataOptions& options, int64_t total);

/// What no data set takes: an unknown split, an empty validation split, sizes below 1.  UsageError.
void check_split(const DataOptions& options);
/// For sets that are not images: UsageError if `augment`, `mean` or `std` are given; `instead` says what to
/// do.
void check_no_image_options(const DataOptions& options, const std::string& name, const std::string& instead);
/// For sets that are not events: UsageError if EventOptions are given; `what` the set holds instead.
void check_no_event_options(const DataOptions& options, const std::string& name, const std::string& what);
/// For sets of frames: UsageError unless there are steps.
void check_steps(const DataOptions& options, const std::string& name);

}  // namespace spiketrain
