// Recordings as a data set of frames.
//   events -> noise filter -> refractory filter -> frames (all splits, no chance involved: this is cached)
//          -> drop, flip, roll (training split only; keyed by seed, epoch and the sample's id, its index in
//          its part)
// drop leaves out each event, after it was given to its frame, with probability p; flip mirrors left-right;
// roll shifts by up to n pixels of the frame each way, along a row of channels only if the frame is one; what
// leaves the frame is lost and zeros enter.
// Cache: a sample is kept as its non-zero places, one to a few bytes each (frame_code.h), from the first time
// it is read until the limit is reached; what finds no room is made again each time, with the same result.  It is
// a file without a name in the folder for temporary files (TMPDIR, else /tmp), made with the first sample: the
// system keeps in memory what it has room for.
// Tests: unit/frame_dataset_test.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/data/dataset.h"
#include "spiketrain/data/events/event_options.h"
#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

struct FrameDatasetOptions {
  std::string name = "events";  ///< begins describe()
  EventOptions events;
  int64_t steps = 10;    ///< frames T
  bool augment = false;  ///< apply events.flip, roll and drop
  uint64_t seed = 1;     ///< keys them
};

class FrameDataset : public Dataset {
 public:
  /// Bytes the cache holds, and how many samples are in it.
  virtual int64_t cache_bytes() const = 0;
  virtual int64_t cached() const = 0;
};

/// `indices` selects and orders the samples of `source`.  UsageError: bad options (see Framer), a roll that
/// can empty the frame, drop = 1, flip of a sensor with one row, clip beside accumulate = "or", index out of
/// range.  Reading a sample: DataError as EventSource::events(), SystemError as ScratchFile.
std::unique_ptr<FrameDataset> make_frame_dataset(std::shared_ptr<const EventSource> source,
                                                 std::vector<int64_t> indices,
                                                 const FrameDatasetOptions& options);

}  // namespace spiketrain
