// event-folder: one's own recordings, by folder or by file, whole or cut into clips.
#include "spiketrain/data/events/folder_layout.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
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

/// The two parts of a folder and what to say about them.
struct Parts {
  ClassFiles train, test;
  std::string notes;
};

/// Holds out `options.test_share` of each class, at least one recording.  Which ones depends on the seed, on the place
/// of the class and on the number of its recordings.
Parts hold_out(const EventOptions& options, const std::string& root) {
  const std::string folder = root + "/" + options.train_dir;
  Parts parts;
  for (auto& [name, files] : part_classes(folder, options.extension)) {
    const auto total = static_cast<int64_t>(files.size());
    if (total < 2)
      throw DataError(
          folder, 0,
          str("class ", name,
              " has one recording, of which none can be held out; add one, or take the class away"));
    const auto wanted = std::llround(options.test_share * static_cast<double>(total));
    const int64_t held = std::min<int64_t>(std::max<int64_t>(wanted, 1), total - 1);
    const Rng rng(static_cast<uint64_t>(options.test_seed), Purpose::split, 1 + parts.train.size());
    const std::vector<int64_t> order = permutation(total, rng);
    std::vector<bool> is_test(files.size());
    for (int64_t i = 0; i < held; ++i) is_test[static_cast<size_t>(order[static_cast<size_t>(i)])] = true;
    parts.train.emplace_back(name, std::vector<std::string>());
    parts.test.emplace_back(name, std::vector<std::string>());
    for (size_t i = 0; i < files.size(); ++i)
      (is_test[i] ? parts.test : parts.train).back().second.push_back(files[i]);
  }
  parts.notes =
      str(", ", 100 * options.test_share, " % of the recordings held out by seed ", options.test_seed);
  return parts;
}

/// train_dir and test_dir, and the classes that both have.
Parts two_folders(const EventOptions& options, const std::string& root) {
  const std::string train_dir = root + "/" + options.train_dir, test_dir = root + "/" + options.test_dir;
  std::error_code error;
  ST_CHECK(!std::filesystem::equivalent(train_dir, test_dir, error),
           "event-folder: events.train_dir and events.test_dir are the same folder, ", train_dir,
           "; the test would be on training samples; hold some out with events.test_share = 0.2");
  Parts parts = {part_classes(train_dir, options.extension), part_classes(test_dir, options.extension), ""};
  parts.notes = leave_out(parts.train, parts.test, options.train_dir);
  parts.notes += leave_out(parts.test, parts.train, options.test_dir);
  if (parts.train.empty())
    throw DataError(root, 0, str("no class is in both ", options.train_dir, " and ", options.test_dir));
  return parts;
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
  const bool held_out = options.test_share > 0;
  const Parts parts = held_out ? hold_out(options, root) : two_folders(options, root);
  ClipSet set;
  set.cache = std::make_shared<RecordingCache>();
  set.classes = static_cast<int64_t>(parts.train.size());
  set.class_names = names_of(parts.train);
  set_sensor(options, parts.train, set);
  take_turns(train ? parts.train : parts.test, set);
  const size_t recordings = set.clips.size();
  if (options.clip_us > 0) cut(options, set);
  set.description =
      str("event-folder ", options.folder, "/", train || held_out ? options.train_dir : options.test_dir,
          held_out && !train ? " (test), " : ", ", recordings, " recordings",
          options.clip_us > 0 ? str(", ", set.clips.size(), " clips") : "", ", classes ",
          class_names(parts.train), parts.notes);
  return set;
}

namespace {

struct EventFolder final : EventSet {
  static constexpr const char* kDoc = "your own event recordings, a folder or a file per class; see [events]";
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
