#include "spiketrain/data/events/clip_source.h"

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_file.h"

namespace spiketrain {
namespace {

bool earlier(const Event& a, const Event& b) { return a.t_us < b.t_us; }

/// A DataError that names an event where others name a byte.
class EventError final : public DataError {
 public:
  EventError(const std::string& path, size_t event, const std::string& reason)
      : DataError(path, 0, reason), text_(str(path, ": event ", event, ": ", reason)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

int64_t stream_bytes(const EventStream& stream) {
  return static_cast<int64_t>(stream.events.capacity() * sizeof(Event));
}

class ClipSource final : public EventSource {
 public:
  explicit ClipSource(ClipSet set) : set_(std::move(set)) {
    if (!set_.cache) set_.cache = std::make_shared<RecordingCache>();
    for (const Clip& clip : set_.clips) {
      ST_CHECK(clip.recording >= 0 && clip.recording < static_cast<int64_t>(set_.paths.size()),
               "clips: recording ", clip.recording, " of ", set_.paths.size());
      ST_CHECK(clip.label >= 0 && clip.label < set_.classes, "clips: ", path(clip), " has class ", clip.label,
               " of ", set_.classes);
    }
  }

  int64_t size() const override { return static_cast<int64_t>(set_.clips.size()); }
  int64_t width() const override { return set_.width; }
  int64_t height() const override { return set_.height; }
  int64_t classes() const override { return set_.classes; }
  std::vector<std::string> class_names() const override { return set_.class_names; }
  int64_t label(int64_t index) const override { return clip(index).label; }
  int64_t recording(int64_t index) const override { return clip(index).recording; }
  std::string describe() const override { return set_.description; }

  EventStream events(int64_t index) const override {
    const Clip& c = clip(index);
    EventStream result;
    if (c.whole) {
      result = read_recording(path(c), set_.format, set_.width, set_.height);
    } else {
      const auto whole = set_.cache->get(path(c), set_.format, set_.width, set_.height);
      const auto at = [&](int64_t t) {
        Event key{};
        key.t_us = t;
        return std::lower_bound(whole->events.begin(), whole->events.end(), key, earlier);
      };
      const auto begin = at(c.begin_us);
      result.events.assign(begin, std::max(begin, at(c.end_us)));
      for (Event& event : result.events) event.t_us -= c.begin_us;
    }
    result.width = set_.width;
    result.height = set_.height;
    return result;
  }

 private:
  const Clip& clip(int64_t index) const {
    ST_CHECK(index >= 0 && index < size(), "clips: expected an index below ", size(), ", got ", index);
    return set_.clips[static_cast<size_t>(index)];
  }

  const std::string& path(const Clip& clip) const { return set_.paths[static_cast<size_t>(clip.recording)]; }

  ClipSet set_;
};

}  // namespace

EventStream read_recording(const std::string& path, const std::string& format, int64_t width,
                           int64_t height) {
  EventStream stream = read_events(path, format);
  for (size_t i = 0; width > 0 && i < stream.events.size(); ++i) {
    const Event& event = stream.events[i];
    if (event.x >= width || event.y >= height)
      throw EventError(
          path, i,
          str("expected a pixel inside ", width, " x ", height, ", found (", event.x, ", ", event.y, ")"));
  }
  if (stream.events.empty()) throw DataError(path, 0, "expected events, found none");
  if (!std::is_sorted(stream.events.begin(), stream.events.end(), earlier))
    std::stable_sort(stream.events.begin(), stream.events.end(), earlier);
  return stream;
}

std::shared_ptr<const EventStream> RecordingCache::get(const std::string& path, const std::string& format,
                                                       int64_t width, int64_t height) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found =
        std::find_if(kept_.begin(), kept_.end(), [&](const auto& entry) { return entry.first == path; });
    if (found != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, found);
      return found->second;
    }
    ++reads_;
  }
  auto stream = std::make_shared<const EventStream>(read_recording(path, format, width, height));
  std::lock_guard<std::mutex> lock(mutex_);
  kept_.emplace_front(path, stream);
  bytes_ += stream_bytes(*stream);
  while (bytes_ > limit_ && kept_.size() > 1) {
    bytes_ -= stream_bytes(*kept_.back().second);
    kept_.pop_back();
  }
  return stream;
}

int64_t RecordingCache::reads() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reads_;
}

std::unique_ptr<EventSource> make_clip_source(ClipSet set) {
  return std::make_unique<ClipSource>(std::move(set));
}

}  // namespace spiketrain
