// The data sets of events by name, and opening them.
// Tests: unit/event_sets_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/data/dataset.h"
#include "spiketrain/data/events/event_stream.h"
#include "spiketrain/data/events/frame_dataset.h"

namespace spiketrain {

/// What `list data` shows, in its order.  The shape is the sensor's, {polarities, height, width}; shape and
/// classes are zeros where the files decide.
const std::vector<DatasetInfo>& event_set_infos();

/// The recordings of one official part.  UsageError, DataError as open_dataset.
std::shared_ptr<const EventSource> open_event_source(const DataOptions& options, bool train);

/// open_dataset() for the sets above: filters, frames, cache, and augmentation of the train split.
std::unique_ptr<FrameDataset> open_event_dataset(const DataOptions& options);

/// {C, H, W} of the frames and number of classes without opening files.  UsageError if the files decide.
std::vector<int64_t> event_frame_shape(const DatasetInfo& info, const EventOptions& options);

}  // namespace spiketrain
