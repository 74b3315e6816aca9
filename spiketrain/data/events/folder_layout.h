// event-folder: one's own recordings as a data set.
// Tests: unit/event_folder_test.cpp.
#pragma once
#include <string>

#include "spiketrain/data/events/clip_source.h"
#include "spiketrain/data/events/event_options.h"

namespace spiketrain {

/// FOLDER/TRAIN_DIR and FOLDER/TEST_DIR, each with a folder per class, or a file per class whose name
/// without ending is the class, or both.  Classes that are not in both parts are left out, which the
/// description says.  With clip_us, a recording is cut into clips [first + k stride, + clip_us), k = 0, 1,
/// ... as long as they end before the last event; a shorter recording is one clip.  The size of the sensor:
/// `sensor`, or that of the first training recording.
/// DataError that names the missing folder or the empty class.
ClipSet folder_clips(const EventOptions& options, const std::string& dir, bool train);

}  // namespace spiketrain
