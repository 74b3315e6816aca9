// event-folder: one's own recordings, by folder or by file, whole or cut into clips.
#include "spiketrain/data/events/folder_layout.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_file.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/events/layout_files.h"

namespace spiketrain {
namespace {

/// About 300 MB with what a data set keeps for each sample.
constexpr int64_t kMostClips = 4000000;

bool is_recording(const std::string& path, const std::string& extension) {
  if (is_folder(path)) return false;
  return extension.empty() ? has_event_extension(path) : ends_with(path, extension);
}

/// Folders are classes, and so are files, by their names without the ending; both may give to one class.
ClassFiles part_classes(const std::string& folder, const std::string& extension) {
  const std::string hint =
      "set events.folder, events.train_dir and events.test_dir to where the recordings are";
  std::map<std::string, std::vector<std::string>> found;
  for (const std::string& name : folder_names(folder, hint)) {
    const std::string path = folder + "/" + name;
    if (!is_folder(path)) {
      if (is_recording(path, extension)) found[std::filesystem::path(name).stem().string()].push_back(path);
      continue;
    }
    std::vector<std::string>& files = found[name];
    for (const std::string& file : folder_names(path, hint)) {
      if (is_recording(path + "/" + file, extension)) files.push_back(path + "/" + file);
    }
    if (files.empty()) throw DataError(path, 0, "class without recordings; see events.extension");
  }
  if (found.empty())
    throw DataError(folder, 0, "expected a folder or a file for each class; see events.extension");
  ClassFiles classes(found.begin(), found.end());
  std::sort(classes.begin(), classes.end(),
            [](const auto& a, const auto& b) { return natural_less(a.first, b.first); });
  return classes;
}

bool has_class(const ClassFiles& classes, const std::string& name) {
  return std::any_of(classes.begin(), classes.end(), [&](const auto& entry) { return entry.first == name; });
}

/// What is in `classes` and not in `others` is moved out; returns ", only in WHERE: a, b" or "".
std::string leave_out(ClassFiles& classes, const ClassFiles& others, const std::string& where) {
  ClassFiles rest;
  for (auto it = classes.begin(); it != classes.end();) {
    if (has_class(others, it->first)) {
      ++it;
    } else {
      rest.push_back(std::move(*it));
      it = classes.erase(it);
    }
  }
  return rest.empty() ? "" : ", not used as only in " + where + ": " + class_names(rest);
}

/// The whole recordings of `set` become clips of them.
void cut(const EventOptions& options, ClipSet& set) {
  const int64_t stride = options.stride_us > 0 ? options.stride_us : options.clip_us;
  std::vector<Clip> clips;
  for (const Clip& recording : set.clips) {
    const std::string& path = set.paths[static_cast<size_t>(recording.recording)];
    const auto stream = set.cache->get(path, "auto", set.width, set.height);
    const int64_t first = stream->events.front().t_us, end = stream->events.back().t_us + 1;
    const int64_t after = end - first < options.clip_us ? 0 : (end - first - options.clip_us) / stride;
    ST_CHECK(after < kMostClips - static_cast<int64_t>(clips.size()), "event-folder: more than ", kMostClips,
             " clips; set a longer events.clip_us or events.stride_us");
    for (int64_t k = 0; k <= after; ++k) {
      const int64_t begin = first + k * stride;
      clips.push_back({recording.recording, recording.label, false, begin, begin + options.clip_us});
    }
  }
  set.clips = std::move(clips);
}

void set_sensor(const EventOptions& options, const ClassFiles& train, ClipSet& set) {
  if (!options.sensor.empty()) {
    ST_CHECK(options.sensor.size() == 2 && options.sensor[0] > 0 && options.sensor[1] > 0,
             "events.sensor: expected [height, width]");
    set.height = options.sensor[0];
    set.width = options.sensor[1];
    return;
  }
  const std::string& path = train.front().second.front();
  const auto stream = set.cache->get(path, "auto");
  ST_CHECK(stream->width > 0 && stream->height > 0, "event-folder: ", path,
           " does not say how large the sensor is; set events.sensor = [height, width]");
  set.width = stream->width;
  set.height = stream->height;
}

}  // namespace

ClipSet folder_clips(const EventOptions& options, const std::string& dir, bool train) {
  ST_CHECK(!options.folder.empty(), "event-folder: set events.folder");
  ST_CHECK(options.folder[0] == '/' || !dir.empty(),
           "event-folder: give the folder above events.folder with --data-dir (or SPIKETRAIN_DATA)");
  ST_CHECK(options.clip_us >= 0 && options.stride_us >= 0,
           "event-folder: expected clip_us and stride_us >= 0");
  ST_CHECK(options.stride_us == 0 || options.clip_us > 0, "event-folder: stride_us needs clip_us");
  const std::string root = options.folder[0] == '/' ? options.folder : dir + "/" + options.folder;
  ClassFiles train_classes = part_classes(root + "/" + options.train_dir, options.extension);
  ClassFiles test_classes = part_classes(root + "/" + options.test_dir, options.extension);
  const std::string notes = leave_out(train_classes, test_classes, options.train_dir) +
                            leave_out(test_classes, train_classes, options.test_dir);
  if (train_classes.empty())
    throw DataError(root, 0, str("no class is in both ", options.train_dir, " and ", options.test_dir));
  ClipSet set;
  set.cache = std::make_shared<RecordingCache>();
  set.classes = static_cast<int64_t>(train_classes.size());
  set_sensor(options, train_classes, set);
  take_turns(train ? train_classes : test_classes, set);
  const size_t recordings = set.clips.size();
  if (options.clip_us > 0) cut(options, set);
  set.description =
      str("event-folder ", options.folder, "/", train ? options.train_dir : options.test_dir, ", ",
          recordings, " recordings", options.clip_us > 0 ? str(", ", set.clips.size(), " clips") : "",
          ", classes ", class_names(train_classes), notes);
  return set;
}

namespace {

struct EventFolder final : EventSet {
  static constexpr const char* kDoc =
      "one's own event recordings, a folder or a file per class; see [events]";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, true, {0, 0, 0}, 0); }
  bool needs_dir() const override { return false; }  // events.folder may be the whole path
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    ST_CHECK(o.events.clip_us == 0 || o.events.clip_us >= o.steps,
             "event-folder: clip_us = ", o.events.clip_us, " is too short for steps = ", o.steps,
             " frames: times are in whole microseconds, so a frame needs at least one");
    return make_clip_source(folder_clips(o.events, o.dir, train));
  }
};
ST_REGISTER(DatasetSource, "event-folder", EventFolder);

}  // namespace
}  // namespace spiketrain
