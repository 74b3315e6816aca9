#include "spiketrain/data/events/event_layouts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/data/events/layout_files.h"

namespace spiketrain {
namespace {

constexpr uint64_t kMaxListBytes = 64 << 20;

/// The integers of one line, separated by spaces, tabs or commas; false if there is anything else, or one is
/// too large.
bool read_integers(std::string line, std::vector<int64_t>& out) {
  out.clear();
  std::replace(line.begin(), line.end(), ',', ' ');
  std::istringstream in(line);
  for (std::string word; in >> word;) {
    const char* end = word.data() + word.size();
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(word.data(), end, value);
    if (error != std::errc() || stop != end) return false;
    out.push_back(value);
  }
  return true;
}

/// Calls use(line, byte offset) for every line that is not empty, without '\r'.
template <class Use>
void each_line(ByteSpan bytes, Use&& use) {
  std::istringstream in(std::string(bytes.data, bytes.data + bytes.size));
  uint64_t offset = 0;
  for (std::string line; std::getline(in, line);) {
    const uint64_t begin = offset;
    offset += line.size() + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) use(line, begin);
  }
}

std::string missing_hint(const std::string& name) {
  return "run `spiketrain data check " + name + "` to see where the official files are and where they belong";
}

/// DIR/nmnist/{train,test}/NUMBER.{bs2,bin} and a list of numbers and classes.
void listed_nmnist(const std::string& root, bool train, ClipSet& set) {
  const std::string part = train ? "train" : "test";
  std::vector<std::string> lists;
  for (const std::string& name : folder_names(root, missing_hint("nmnist"))) {
    if (name.compare(0, part.size(), part) == 0 && ends_with(name, ".txt"))
      lists.push_back(root + "/" + name);
  }
  if (lists.size() != 1)
    throw DataError(root, 0,
                    str("expected a folder ", train ? "Train" : "Test", "/, or ", part, "/ with one list ",
                        part, "*.txt, found ", lists.size(), " such lists; ", missing_hint("nmnist")));
  std::vector<int64_t> values;
  each_line(read_file(lists[0], kMaxListBytes), [&](const std::string& line, uint64_t offset) {
    if (line[0] == '#') return;
    if (!read_integers(line, values) || values.size() != 2 || values[1] < 0 || values[1] > 9)
      throw DataError(lists[0], offset, "expected a number and a class from 0 to 9, got \"" + line + "\"");
    std::string path = str(root, "/", part, "/", values[0], ".bs2");
    if (!file_exists(path)) path = str(root, "/", part, "/", values[0], ".bin");
    set.add(std::move(path), values[1]);
  });
  if (set.clips.empty()) throw DataError(lists[0], 0, "expected lines of a number and a class, found none");
}

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

}  // namespace

std::vector<GestureLabel> parse_gesture_labels(ByteSpan bytes, const std::string& path) {
  std::vector<GestureLabel> labels;
  std::vector<int64_t> values;
  bool head = true;
  each_line(bytes, [&](const std::string& line, uint64_t offset) {
    const bool skip = head && line.compare(0, 5, "class") == 0;
    head = false;
    if (skip) return;
    if (!read_integers(line, values) || values.size() != 3 || values[0] < 1 || values[0] > 11 ||
        values[1] < 0 || values[1] >= values[2])
      throw DataError(path, offset, "expected class (1 to 11), start, a later end, got \"" + line + "\"");
    labels.push_back({values[0] - 1, values[1], values[2]});
  });
  return labels;
}

ClipSet nmnist_clips(const std::string& dir, bool train) {
  const std::string root = dir + "/nmnist";
  ClipSet set;
  set.format = "nmnist";
  set.width = set.height = 34;
  set.classes = 10;
  const std::string official = root + (train ? "/Train" : "/Test");
  if (is_folder(official)) {
    const ClassFiles classes = class_folders(official, ".bin", missing_hint("nmnist"));
    if (classes.size() != 10 || classes.front().first != "0" || classes.back().first != "9")
      throw DataError(official, 0, "expected the class folders 0 to 9, found " + class_names(classes));
    take_turns(classes, set);
    const auto file = [&set](const Clip& clip) {
      const std::string& path = set.paths[static_cast<size_t>(clip.recording)];
      return path.substr(path.rfind('/'));
    };
    std::stable_sort(set.clips.begin(), set.clips.end(),
                     [&](const Clip& a, const Clip& b) { return natural_less(file(a), file(b)); });
  } else {
    listed_nmnist(root, train, set);
  }
  set.description = str("nmnist ", train ? "train" : "test", ", ", set.clips.size(), " recordings");
  return set;
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
    each_line(read_file(root + trials, kMaxListBytes),
              [&](const std::string& line, uint64_t) { labelled_clips(root, line, set); });
    if (set.clips.empty()) throw DataError(root + trials, 0, "expected names of recordings, found none");
  } else if (is_folder(root + "/" + part)) {
    const ClassFiles classes = class_folders(root + "/" + part, "", hint);
    if (classes.size() > 11)
      throw DataError(root + "/" + part, 0, str("expected at most 11 classes, found ", classes.size()));
    set.classes = static_cast<int64_t>(classes.size());
    take_turns(classes, set);
  } else {
    throw DataError(root, 0, str("expected ", trials.substr(1), ", or a folder ", part, "/CLASS/; ", hint));
  }
  set.description = str("dvs-gesture ", part, ", ", set.clips.size(), " clips");
  return set;
}

ClipSet cifar10_dvs_clips(const std::string& dir, bool train, double train_share) {
  ST_CHECK(train_share > 0 && train_share < 1,
           "events.train_share: expected more than 0 and less than 1, got ", train_share);
  ClassFiles classes = class_folders(dir + "/cifar10-dvs", ".aedat", missing_hint("cifar10-dvs"));
  for (auto& [name, files] : classes) {
    // 0.9 * 1000 must be 900 however 0.9 is rounded.
    const auto cut =
        static_cast<std::ptrdiff_t>(std::floor(train_share * static_cast<double>(files.size()) + 1e-6));
    if (cut == 0 || cut == static_cast<std::ptrdiff_t>(files.size()))
      throw DataError(dir + "/cifar10-dvs/" + name, 0,
                      str(files.size(), " recordings leave one part of the split empty"));
    files = train ? std::vector<std::string>(files.begin(), files.begin() + cut)
                  : std::vector<std::string>(files.begin() + cut, files.end());
  }
  ClipSet set;
  set.format = "aedat2";
  set.width = set.height = 128;
  set.classes = static_cast<int64_t>(classes.size());
  take_turns(classes, set);
  set.description = str("cifar10-dvs ", train ? "train" : "test", ", ", set.clips.size(), " recordings, ",
                        train ? "the first " : "all but the first ", train_share * 100, " % of each class");
  return set;
}

}  // namespace spiketrain
