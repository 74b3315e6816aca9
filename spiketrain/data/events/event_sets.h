// EventSet = a registered data set of recordings: splits, filters, frames, cache and augmentation are done
// here, a leaf file says where the recordings come from.
// Tests: unit/event_sets_test.cpp.
#pragma once
#include <memory>

#include "spiketrain/data/events/event_stream.h"
#include "spiketrain/data/source.h"

namespace spiketrain {

struct EventSet : DatasetSource {
  /// A FrameDataset (frame_dataset.h).  UsageError also: no steps; options of images.
  std::unique_ptr<Dataset> open(const DataOptions& options) const override;
  /// One official part.  UsageError, DataError as open().
  virtual std::shared_ptr<const EventSource> recordings(const DataOptions& options, bool train) const = 0;

 protected:
  /// `sensor`: {polarities, height, width}; zeros and no classes where the files decide.
  DatasetInfo describe(const char* doc, bool files, Shape sensor, int64_t classes) const;
};

/// The recordings of one official part of the set `options.name`.  UsageError also if that is no set of
/// events.
std::shared_ptr<const EventSource> open_event_source(const DataOptions& options, bool train);

/// {C,H,W} of the frames without opening files.  UsageError if the files decide.
Shape event_frame_shape(const DatasetInfo& info, const EventOptions& options);

}  // namespace spiketrain
