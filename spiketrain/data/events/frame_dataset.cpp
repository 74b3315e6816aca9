#include "spiketrain/data/events/frame_dataset.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <mutex>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/base/input_file.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/events/event_filter.h"
#include "spiketrain/data/events/frame_code.h"
#include "spiketrain/data/events/framing.h"
#include "spiketrain/data/reads_ahead.h"

namespace spiketrain {
namespace {

using Code = std::vector<uint8_t>;

/// Samples of a recording that are made with one of them.
constexpr size_t kTogether = 16;

/// Where the code of a sample is in the cache.
struct CodePlace {
  static constexpr uint64_t kNowhere = UINT64_MAX;
  uint64_t offset = kNowhere, bytes = 0;
};

/// A sample (its slot) and the recording that it is cut from.
struct SlotOfRecording {
  int64_t recording;
  size_t slot;
};

class CachedFrames final : public FrameDataset, public ReadsAhead {
 public:
  CachedFrames(std::shared_ptr<const EventSource> source, std::vector<int64_t> indices,
               const FrameDatasetOptions& options)
      : source_(std::move(source)),
        indices_(std::move(indices)),
        options_(options),
        events_(options_.events),
        framer_(events_, options_.steps, {source_->width(), source_->height(), source_->polarities()}),
        sample_(SampleSpec::frames(framer_.steps(), framer_.shape(), torch::kByte)),
        target_(TargetSpec::class_index(source_->classes(), source_->class_names())),
        places_(indices_.size()) {
    ST_CHECK(events_.noise_filter_us >= 0 && events_.refractory_us >= 0 && events_.cache_mib >= 0 &&
                 events_.roll >= 0,
             "events: expected noise_filter_us, refractory_us, roll and cache_mib >= 0");
    ST_CHECK(events_.drop >= 0 && events_.drop < 1, "events.drop: expected 0 to less than 1, got ",
             events_.drop, "; 1 leaves no event");
    ST_CHECK(!events_.flip || source_->height() > 1,
             "events.flip: this set has one row of channels; mirrored, a channel is another one; set flip = "
             "false");
    ST_CHECK(
        events_.accumulate != "or" || events_.clip == EventOptions{}.clip, "events.clip = ", events_.clip,
        " has no effect with accumulate = \"or\", whose values are 0 and 1; set accumulate = \"clip\" or "
        "leave clip out");
    check_roll();
    together_.reserve(indices_.size());
    for (size_t slot = 0; slot < indices_.size(); ++slot) {
      ST_CHECK(indices_[slot] >= 0 && indices_[slot] < source_->size(), "events: index ", indices_[slot],
               " of ", source_->size());
      together_.push_back({source_->recording(indices_[slot]), slot});
    }
    std::stable_sort(together_.begin(), together_.end(), earlier_recording);
    drop_ = options_.augment && events_.drop > 0;
    drop_below_ = static_cast<uint64_t>(std::llround(events_.drop * 0x1.0p32));
    // With drop the true counts decide how many events may be left; otherwise no more than the limit matters.
    stored_limit_ = drop_ ? UINT16_MAX : framer_.limit();
  }

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t index) const override { return source_->label(id(index)); }
  int64_t id(int64_t index) const override { return indices_[slot_of(index)]; }

  void read(int64_t index, int64_t epoch, void* to) const override {
    auto* out = static_cast<uint8_t*>(to);
    const size_t slot = slot_of(index);
    const Code code = find_or_make(slot);
    std::fill_n(out, framer_.numel(), uint8_t{0});
    const int64_t limit = framer_.limit();
    if (!options_.augment) {
      decode_counts(code, [=](int64_t place, int64_t count) {
        out[place] = static_cast<uint8_t>(std::min(count, limit));
      });
      return;
    }
    Rng rng(options_.seed, Purpose::event_augment, static_cast<uint64_t>(epoch),
            static_cast<uint64_t>(indices_[slot]));
    augmented(code, rng, out);
  }

  std::string describe() const override {
    const Shape& shape = sample_.shape;
    return str(options_.name, ": ", size(), " samples of ", sample_.steps, "x", shape[0], "x", shape[1], "x",
               shape[2], ", ", target_.classes, " classes", options_.augment ? ", augmented" : "", "; from ",
               source_->describe());
  }

  int64_t cache_bytes() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return cache_bytes_;
  }
  int64_t cached() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::count_if(places_.begin(), places_.end(),
                         [](const CodePlace& place) { return place.offset != CodePlace::kNowhere; });
  }
  void read_ahead(const int64_t* indices, int64_t count) const override {
    for (int64_t i = 0; i < count; ++i) {
      const CodePlace place = place_of(slot_of(indices[i]));
      if (place.offset != CodePlace::kNowhere) file_->will_read(place.offset, place.bytes);
    }
  }

 private:
  void check_roll() const {
    const int64_t height = framer_.shape()[1], width = framer_.shape()[2];
    const int64_t across = height > 1 && width > 1 ? std::min(height, width) : std::max(height, width);
    ST_CHECK(events_.roll<across, "events.roll: expected less than ", across, ", the ", height> 1 && width > 1
                 ? "smaller side"
                 : "length",
             " of the frame of ", height, "x", width, ", got ", events_.roll);
  }

  size_t slot_of(int64_t index) const {
    ST_CHECK(index >= 0 && index < size(), "data set: expected an index below ", size(), ", got ", index);
    return static_cast<size_t>(index);
  }

  static bool earlier_recording(const SlotOfRecording& a, const SlotOfRecording& b) {
    return a.recording < b.recording;
  }

  Code make(size_t slot) const {
    EventStream stream = source_->events(indices_[slot]);
    filter_noise(stream.events, source_->width(), source_->height(), events_.noise_filter_us);
    filter_refractory(stream.events, source_->width(), source_->height(), events_.refractory_us);
    std::vector<uint16_t> counts(static_cast<size_t>(framer_.numel()));
    framer_.count(stream.events, counts.data());
    return encode_counts(counts.data(), framer_.numel(), stored_limit_);
  }

  CodePlace place_of(size_t slot) const {
    std::lock_guard<std::mutex> lock(mutex_);
    return places_[slot];
  }

  /// False if it is not in the cache.
  bool find(size_t slot, Code& code) const {
    const CodePlace place = place_of(slot);
    if (place.offset == CodePlace::kNowhere) return false;
    code.resize(place.bytes);
    file_->read(place.offset, place.bytes, code.data());
    return true;
  }

  /// False if there was no room.
  bool keep(size_t slot, const Code& code) const {
    const auto bytes = static_cast<int64_t>(code.size());
    std::lock_guard<std::mutex> lock(mutex_);
    if (places_[slot].offset != CodePlace::kNowhere) return true;
    if (full_ || cache_bytes_ + bytes > events_.cache_mib * (int64_t{1} << 20)) {
      full_ = true;
      return false;
    }
    if (!file_) file_ = std::make_unique<ScratchFile>("frames of " + options_.name);
    places_[slot] = {file_->append(code), code.size()};
    cache_bytes_ += bytes;
    return true;
  }

  /// The first kTogether samples of a recording that are not yet there.
  template <class Range>
  std::vector<size_t> missing(const Range& samples) const {
    std::vector<size_t> result;
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = samples.first; it != samples.second && result.size() < kTogether; ++it) {
      if (places_[it->slot].offset == CodePlace::kNowhere) result.push_back(it->slot);
    }
    return result;
  }

  /// With a sample, others of its recording are made, so its file is not read for each of them; not all of
  /// them, since there may be very many, and whoever stops a loader waits for the batches it has begun.
  Code find_or_make(size_t slot) const {
    Code code;
    if (find(slot, code)) return code;
    const int64_t recording = source_->recording(indices_[slot]);
    const auto samples = std::equal_range(together_.begin(), together_.end(), SlotOfRecording{recording, 0},
                                          earlier_recording);
    if (samples.second - samples.first == 1) {
      code = make(slot);
      keep(slot, code);
      return code;
    }
    std::lock_guard<std::mutex> lock(
        recording_mutex_[static_cast<size_t>(recording) % recording_mutex_.size()]);
    if (find(slot, code)) return code;
    code = make(slot);
    if (!keep(slot, code)) return code;
    for (const size_t other : missing(samples)) {
      if (!keep(other, make(other))) break;
    }
    return code;
  }

  /// Where each place of one channel of one frame goes; -1: out of the frame.
  std::vector<int32_t> moves(Rng& rng) const {
    const int64_t height = framer_.shape()[1], width = framer_.shape()[2];
    const bool flip = (rng.next() & 1) != 0 && events_.flip;
    const auto range = static_cast<uint64_t>(2 * events_.roll + 1);
    // Always two draws, so that what a seed gives does not depend on the shape.
    const int64_t drawn_y = static_cast<int64_t>(rng.below(range)) - events_.roll;
    const int64_t drawn_x = static_cast<int64_t>(rng.below(range)) - events_.roll;
    const int64_t shift_y = height > 1 ? drawn_y : 0, shift_x = width > 1 ? drawn_x : 0;
    std::vector<int32_t> moved(static_cast<size_t>(height * width), -1);
    for (int64_t y = 0; y < height; ++y) {
      const int64_t to_y = y + shift_y;
      if (to_y < 0 || to_y >= height) continue;
      for (int64_t x = 0; x < width; ++x) {
        const int64_t to_x = (flip ? width - 1 - x : x) + shift_x;
        if (to_x >= 0 && to_x < width)
          moved[static_cast<size_t>(y * width + x)] = static_cast<int32_t>(to_y * width + to_x);
      }
    }
    return moved;
  }

  void augmented(const Code& code, Rng& rng, uint8_t* out) const {
    const std::vector<int32_t> moved = moves(rng);
    const auto plane = static_cast<int64_t>(moved.size());
    const int64_t limit = framer_.limit();
    int64_t base = 0;  // first place of the channel that `place` is in
    decode_counts(code, [&](int64_t place, int64_t count) {
      if (drop_) {
        int64_t left = 0;
        for (int64_t i = 0; i < count; ++i) left += rng.next() >= drop_below_;
        count = left;
      }
      while (place - base >= plane) base += plane;
      const int32_t to = moved[static_cast<size_t>(place - base)];
      if (to >= 0) out[base + to] = static_cast<uint8_t>(std::min(count, limit));
    });
  }

  const std::shared_ptr<const EventSource> source_;
  const std::vector<int64_t> indices_;
  const FrameDatasetOptions options_;
  const EventOptions& events_;
  const Framer framer_;
  const SampleSpec sample_;
  const TargetSpec target_;
  std::vector<SlotOfRecording> together_;  // by recording, then slot
  bool drop_ = false;
  uint64_t drop_below_ = 0;
  int64_t stored_limit_ = 1;

  mutable std::array<std::mutex, 16> recording_mutex_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::vector<CodePlace> places_;
  mutable std::unique_ptr<ScratchFile> file_;  // made with the first sample, then it stays
  mutable int64_t cache_bytes_ = 0;
  mutable bool full_ = false;
};

}  // namespace

std::unique_ptr<FrameDataset> make_frame_dataset(std::shared_ptr<const EventSource> source,
                                                 std::vector<int64_t> indices,
                                                 const FrameDatasetOptions& options) {
  ST_CHECK(source != nullptr, "events: expected a source");
  return std::make_unique<CachedFrames>(std::move(source), std::move(indices), options);
}

}  // namespace spiketrain
