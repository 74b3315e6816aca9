// Labelled clips of recordings: what every layout of files of events comes down to.
// A clip is a whole recording, or the part [begin, end) of one, whose times then count from `begin`.  A whole
// recording without any event is a DataError, since that is how a broken file looks; a clip may be silent.
// Tests: unit/event_sets_test.cpp.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

/// The recordings used last, so that the clips of one are not each a reason to read it.  Thread-safe.
class RecordingCache {
 public:
  /// Keeps up to `bytes` of events, and always the last recording.
  explicit RecordingCache(int64_t bytes = int64_t{256} << 20) : limit_(bytes) {}
  /// The recording in `path`, see read_recording().
  std::shared_ptr<const EventStream> get(const std::string& path, const std::string& format,
                                         int64_t width = 0, int64_t height = 0);
  /// Files read so far.
  int64_t reads() const;

 private:
  mutable std::mutex mutex_;
  std::list<std::pair<std::string, std::shared_ptr<const EventStream>>> kept_;  // most recent first
  int64_t limit_, bytes_ = 0, reads_ = 0;
};

struct Clip {
  int64_t recording = 0;  ///< index in ClipSet::paths; a recording can have very many clips
  int64_t label = 0;
  bool whole = true;
  int64_t begin_us = 0, end_us = 0;  ///< of a part: [begin, end) in the recording's times
};

struct ClipSet {
  std::string description;  ///< name, split, and whatever the user should know
  std::string format = "auto";
  int64_t width = 0, height = 0, classes = 0;
  std::vector<std::string> class_names = {};  ///< empty, or one for each class
  std::vector<std::string> paths;
  std::vector<Clip> clips;
  std::shared_ptr<RecordingCache> cache;  ///< used for parts; one is made if null

  /// Appends a whole recording.
  void add(std::string path, int64_t label) {
    clips.push_back({static_cast<int64_t>(paths.size()), label});
    paths.push_back(std::move(path));
  }
};

/// Reads one recording, sorted by time (equal times: as in the file).  DataError: cannot be read, has no
/// events, or, with width > 0, has one outside width x height; instead of an offset, which only the parsers
/// know, the text then has the number of the event in the file, from 0.
EventStream read_recording(const std::string& path, const std::string& format, int64_t width = 0,
                           int64_t height = 0);

std::unique_ptr<EventSource> make_clip_source(ClipSet set);

}  // namespace spiketrain
