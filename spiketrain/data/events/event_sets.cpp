#include "spiketrain/data/events/event_sets.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_layouts.h"
#include "spiketrain/data/events/framing.h"
#include "spiketrain/data/events/glyph_events.h"
#include "spiketrain/data/events/motion_events.h"
#include "spiketrain/data/events/shd.h"

namespace spiketrain {
namespace {

/// DIR/NAME/NAME_train.h5 and NAME_test.h5.
class ShdSource final : public EventSource {
 public:
  ShdSource(const std::string& name, const std::string& dir, bool train, int64_t classes)
      : classes_(classes),
        path_(str(dir, "/", name, "/", name, train ? "_train.h5" : "_test.h5")),
        file_(path_),
        description_(str(name, train ? " train, " : " test, ", file_.size(), " recordings")) {
    for (int64_t i = 0; i < file_.size(); ++i) {
      if (file_.label(i) >= classes)
        throw DataError(path_, 0, str("expected labels below ", classes, ", found ", file_.label(i)));
    }
  }
  int64_t size() const override { return file_.size(); }
  int64_t width() const override { return ShdFile::kChannels; }
  int64_t height() const override { return 1; }
  int64_t polarities() const override { return 1; }
  int64_t classes() const override { return classes_; }
  int64_t label(int64_t index) const override { return file_.label(index); }
  std::string describe() const override { return description_; }
  EventStream events(int64_t index) const override {
    EventStream stream = file_.events(index);
    std::stable_sort(stream.events.begin(), stream.events.end(),
                     [](const Event& a, const Event& b) { return a.t_us < b.t_us; });
    return stream;
  }

 private:
  int64_t classes_;
  std::string path_;
  ShdFile file_;
  std::string description_;
};

using SourcePtr = std::shared_ptr<const EventSource>;

template <class Options>
Options camera_options(const DataOptions& o) {
  Options options;
  ST_CHECK(o.events.sensor.empty() || o.events.sensor.size() == 2, "events.sensor: expected [height, width]");
  if (!o.events.sensor.empty()) {
    options.height = o.events.sensor[0];
    options.width = o.events.sensor[1];
  }
  options.seed = o.seed;
  options.train_size = o.train_size;
  options.test_size = o.test_size;
  options.duration_us = o.events.recording_us;
  options.threshold = o.events.threshold;
  options.noise_hz = o.events.noise_hz;
  return options;
}

SourcePtr open_motion(const DataOptions& o, bool train) {
  ST_CHECK(!o.events.flip, "motion-events: mirrored, left becomes right; set events.flip = false");
  auto options = camera_options<MotionEventsOptions>(o);
  options.speed = o.events.speed;
  options.sway = o.events.sway;
  options.contrast = o.events.contrast;
  return make_motion_events(options, train);
}

struct EventSet {
  DatasetInfo info;
  std::function<SourcePtr(const DataOptions&, bool train)> open;
};

DatasetInfo info(const char* name, const char* doc, bool files, std::vector<int64_t> shape, int64_t classes) {
  DatasetInfo result{name, doc, files, std::move(shape), classes};
  result.events = true;
  return result;
}

const std::vector<EventSet>& event_sets() {
  static const std::vector<EventSet> sets = {
      {info("glyph-events", "drawn digits before a simulated event camera, 2 x 34 x 34, 10 classes; built in",
            false, {2, 34, 34}, 10),
       [](const DataOptions& o, bool train) -> SourcePtr {
         return make_glyph_events(camera_options<GlyphEventsOptions>(o), train);
       }},
      {info("motion-events", "moving textures, the class is the motion, 2 x 34 x 34, 6 classes; built in",
            false, {2, 34, 34}, 6),
       open_motion},
      {info("nmnist", "N-MNIST: MNIST before a moving event camera, 2 x 34 x 34, 10 classes", true,
            {2, 34, 34}, 10),
       [](const DataOptions& o, bool train) -> SourcePtr {
         return make_clip_source(nmnist_clips(o.dir, train));
       }},
      {info("dvs-gesture", "DVS128 Gesture: arm gestures, 2 x 128 x 128, 11 classes", true, {2, 128, 128},
            11),
       [](const DataOptions& o, bool train) -> SourcePtr {
         return make_clip_source(dvs_gesture_clips(o.dir, train));
       }},
      {info("cifar10-dvs", "CIFAR10-DVS: CIFAR-10 images moved on a screen, 2 x 128 x 128, 10 classes", true,
            {2, 128, 128}, 10),
       [](const DataOptions& o, bool train) -> SourcePtr {
         return make_clip_source(cifar10_dvs_clips(o.dir, train, o.events.train_share));
       }},
      {info("shd", "Spiking Heidelberg Digits: spoken digits, 1 x 1 x 700, 20 classes", true, {1, 1, 700},
            20),
       [](const DataOptions& o, bool train) -> SourcePtr {
         return std::make_shared<const ShdSource>(o.name, o.dir, train, 20);
       }},
      {info("ssc", "Spiking Speech Commands: spoken words, 1 x 1 x 700, 35 classes", true, {1, 1, 700}, 35),
       [](const DataOptions& o, bool train) -> SourcePtr {
         return std::make_shared<const ShdSource>(o.name, o.dir, train, 35);
       }},
      {info("event-folder", "one's own event recordings, a folder or a file per class; see [events]", true,
            {0, 0, 0}, 0),
       [](const DataOptions& o, bool train) -> SourcePtr {
         ST_CHECK(o.events.clip_us == 0 || o.events.clip_us >= o.steps,
                  "event-folder: clip_us = ", o.events.clip_us, " is too short for steps = ", o.steps,
                  " frames: times are in whole microseconds, so a frame needs at least one");
         return make_clip_source(folder_clips(o.events, o.dir, train));
       }},
  };
  return sets;
}

const EventSet& find_set(const std::string& name) {
  for (const EventSet& set : event_sets()) {
    if (set.info.name == name) return set;
  }
  throw UsageError(str("\"", name, "\" is no data set of events"));
}

}  // namespace

const std::vector<DatasetInfo>& event_set_infos() {
  static const std::vector<DatasetInfo> infos = [] {
    std::vector<DatasetInfo> result;
    for (const EventSet& set : event_sets()) result.push_back(set.info);
    return result;
  }();
  return infos;
}

SourcePtr open_event_source(const DataOptions& options, bool train) {
  return find_set(options.name).open(options, train);
}

std::unique_ptr<FrameDataset> open_event_dataset(const DataOptions& options) {
  ST_CHECK(options.steps > 0, "data: ", options.name,
           " is made of frames; set the number of them, DataOptions::steps");
  ST_CHECK(!options.augment, "data: ", options.name,
           " is augmented by events.flip, events.roll and events.drop; set augment = false");
  ST_CHECK(std::isnan(options.mean) && std::isnan(options.std), "data: frames of ", options.name,
           " are counts, which are not normalised; leave mean and std out");
  const SourcePtr source = open_event_source(options, options.split != "test");
  FrameDatasetOptions frames;
  frames.name = options.name + " " + options.split;
  frames.events = options.events;
  frames.steps = options.steps;
  frames.seed = options.seed;
  const EventOptions& e = options.events;
  frames.augment = options.split == "train" && (e.flip || e.roll > 0 || e.drop > 0);
  return make_frame_dataset(source, split_indices(options, source->size()), frames);
}

std::vector<int64_t> event_frame_shape(const DatasetInfo& info, const EventOptions& options) {
  SensorSize sensor{info.shape[2], info.shape[1], info.shape[0]};
  if (!options.sensor.empty() && (info.shape[1] == 0 || !info.files)) {
    ST_CHECK(options.sensor.size() == 2, "events.sensor: expected [height, width]");
    sensor = {options.sensor[1], options.sensor[0], 2};
  }
  ST_CHECK(sensor.width > 0, info.name, ": the files decide on the size of the sensor; set events.sensor");
  return frame_shape(options, sensor);
}

}  // namespace spiketrain
