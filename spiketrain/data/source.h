// DatasetSource = a data set by its name: what is known of it without opening files, and opening a split of
// it.
// Each registers itself in a file of its own; images derive from ImageSource (images/image_dataset.h),
// recordings of events from EventSet (events/event_sets.h).
// Tests: unit/dataset_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/base/registry.h"
#include "spiketrain/data/dataset.h"
#include "spiketrain/data/split.h"

namespace spiketrain {

/// What `list` prints, and what a recipe can be checked against before the files are there.
struct DatasetInfo {
  std::string name, doc;
  bool files = false;  ///< reads files below DataOptions::dir
  Shape shape;  ///< of a sample: of the image, or of a frame (events: the sensor's); 0 where the files decide
  Batch::Form form = Batch::Form::image;
  TargetSpec target = {};  ///< classes 0: the files decide; extent 0: DataOptions::steps
  bool events = false;     ///< frames of events, to which EventOptions apply
  bool labels = false;     ///< the values of a target are labels, 1 for each that a sample has
  bool table = false;      ///< rows of numbers, to which TableOptions apply
};

struct DatasetSource : Part {
  virtual DatasetInfo info() const = 0;
  /// Opens one split; open_dataset() has checked what is the same for all sets.  UsageError: options that do
  /// not apply.  DataError: missing or malformed file (a missing one is named together with how to get it).
  virtual std::unique_ptr<Dataset> open(const DataOptions& options) const = 0;
  /// Whether DataOptions::dir has to be given.
  virtual bool needs_dir() const { return info().files; }
};

/// Opens one split.  UsageError: unknown name (lists the names), bad option.  DataError as
/// DatasetSource::open().
std::unique_ptr<Dataset> open_dataset(const DataOptions& options);

/// Every registered data set, sorted by name.
std::vector<DatasetInfo> dataset_infos();
/// UsageError that lists the names if there is no such data set.
DatasetInfo dataset_info(const std::string& name);

}  // namespace spiketrain
