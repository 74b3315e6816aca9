#include "spiketrain/data/events/clip_source.h"

#include <algorithm>
#include <map>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_file.h"

namespace spiketrain {
namespace {

bool earlier(const Event& a, const Event& b) { return a.t_us < b.t_us; }

int64_t bytes_of(const EventStream& stream) {
  return static_cast<int64_t>(stream.events.capacity() * sizeof(Event));
}

class ClipSource final : public EventSource {
 public:
  explicit ClipSource(ClipSet set) : set_(std::move(set)) {
    if (!set_.cache) set_.cache = std::make_shared<RecordingCache>();
    std::map<std::string, int64_t> numbers;
    for (const Clip& clip : set_.clips) {
      ST_CHECK(clip.label >= 0 && clip.label < set_.classes, "clips: ", clip.path, " has class ", clip.label,
               " of ", set_.classes);
      recording_.push_back(numbers.emplace(clip.path, static_cast<int64_t>(numbers.size())).first->second);
    }
  }

  int64_t size() const override { return static_cast<int64_t>(set_.clips.size()); }
  int64_t width() const override { return set_.width; }
  int64_t height() const override { return set_.height; }
  int64_t classes() const override { return set_.classes; }
  int64_t label(int64_t index) const override { return clip(index).label; }
  int64_t recording(int64_t index) const override {
    clip(index);
    return recording_[static_cast<size_t>(index)];
  }
  std::string describe() const override { return set_.description; }

  EventStream events(int64_t index) const override {
    const Clip& c = clip(index);
    EventStream result;
    if (c.whole) {
      result = read_recording(c.path, set_.format);
    } else {
      const auto whole = set_.cache->get(c.path, set_.format);
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
    for (const Event& event : result.events) {
      if (event.x >= set_.width || event.y >= set_.height)
        throw DataError(c.path, 0,
                        str("event at (", event.x, ", ", event.y, "), expected a sensor of ", set_.width, "x",
                            set_.height));
    }
    return result;
  }

 private:
  const Clip& clip(int64_t index) const {
    ST_CHECK(index >= 0 && index < size(), "clips: expected an index below ", size(), ", got ", index);
    return set_.clips[static_cast<size_t>(index)];
  }

  ClipSet set_;
  std::vector<int64_t> recording_;
};

}  // namespace

EventStream read_recording(const std::string& path, const std::string& format) {
  EventStream stream = read_events(path, format);
  if (stream.events.empty()) throw DataError(path, 0, "expected events, found none");
  if (!std::is_sorted(stream.events.begin(), stream.events.end(), earlier))
    std::stable_sort(stream.events.begin(), stream.events.end(), earlier);
  return stream;
}

std::shared_ptr<const EventStream> RecordingCache::get(const std::string& path, const std::string& format) {
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
  auto stream = std::make_shared<const EventStream>(read_recording(path, format));
  std::lock_guard<std::mutex> lock(mutex_);
  kept_.emplace_front(path, stream);
  bytes_ += bytes_of(*stream);
  while (bytes_ > limit_ && kept_.size() > 1) {
    bytes_ -= bytes_of(*kept_.back().second);
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
