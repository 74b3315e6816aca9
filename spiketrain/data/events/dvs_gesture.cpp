// DVS128 Gesture: arm gestures.
//   DIR/dvs-gesture[/DvsGesture]/{trials_to_train,trials_to_test}.txt, which name NAME.aedat with its
//   NAME_labels.csv (class 1 to 11, start, end): a clip per line; or
//   DIR/dvs-gesture/{train,test}/CLASS/* with one clip per file
// Source: Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017.
// Errors: DataError that names the missing folder, the empty class, the bad line.
// Tests: unit/event_sets_test.cpp.
#include "spiketrain/base/check.h"
#include "spiketrain/data/events/clip_source.h"
#include "spiketrain/data/events/event_lists.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/events/layout_files.h"

namespace spiketrain {
namespace {

/// One clip per line of NAME_labels.csv.
void labelled_clips(const std::string& root, const std::string& recording, ClipSet& set) {
  const std::string labels = root + "/" + recording.substr(0, recording.rfind('.')) + "_labels.csv";
  const std::string path = root + "/" + recording;
  if (!file_exists(path)) throw DataError(path, 0, "missing; it is listed in the trials");
  const auto number = static_cast<int64_t>(set.paths.size());
  set.paths.push_back(path);
  for (const GestureLabel& one : parse_gesture_labels(read_file(labels, kMaxListBytes), labels))
    set.clips.push_back({number, one.label, false, one.begin_us, one.end_us});
}

ClipSet dvs_gesture_clips(const std::string& dir, bool train) {
  const std::string part = train ? "train" : "test", hint = missing_hint("dvs-gesture");
  const std::string trials = "/trials_to_" + part + ".txt";
  std::string root = dir + "/dvs-gesture";
  if (is_folder(root + "/DvsGesture")) root += "/DvsGesture";
  ClipSet set;
  set.width = set.height = 128;
  set.classes = 11;
  if (file_exists(root + trials)) {
    set.format = "aedat3";
    set.class_names = {"hand clapping",
                       "right hand wave",
                       "left hand wave",
                       "right arm clockwise",
                       "right arm counterclockwise",
                       "left arm clockwise",
                       "left arm counterclockwise",
                       "arm roll",
                       "air drums",
                       "air guitar",
                       "other gestures"};
    const Bytes list = read_file(root + trials, kMaxListBytes);
    for (const TextLine& line : text_lines(list)) labelled_clips(root, line.text, set);
    if (set.clips.empty()) throw DataError(root + trials, 0, "expected names of recordings, found none");
  } else if (is_folder(root + "/" + part)) {
    const ClassFiles classes = class_folders(root + "/" + part, "", hint);
    if (classes.size() > 11)
      throw DataError(root + "/" + part, 0, str("expected at most 11 classes, found ", classes.size()));
    set.classes = static_cast<int64_t>(classes.size());
    set.class_names = names_of(classes);
    take_turns(classes, set);
  } else {
    throw DataError(root, 0, str("expected ", trials.substr(1), ", or a folder ", part, "/CLASS/; ", hint));
  }
  set.description = str("dvs-gesture ", part, ", ", set.clips.size(), " clips");
  return set;
}

struct DvsGesture final : EventSet {
  static constexpr const char* kDoc = "DVS128 Gesture: arm gestures, 2 x 128 x 128, 11 classes";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, true, {2, 128, 128}, 11); }
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    return make_clip_source(dvs_gesture_clips(o.dir, train));
  }
};
ST_REGISTER(DatasetSource, "dvs-gesture", DvsGesture);

}  // namespace
}  // namespace spiketrain
