// N-MNIST: MNIST before a moving event camera.
//   DIR/nmnist/{Train,Test}/{0..9}/NUMBER.bin, in the order of the numbers; or the short form
//   DIR/nmnist/{train,test}/NUMBER.{bs2,bin} with lists train*.txt and test*.txt (number, class)
// Source: Orchard, Jayawant, Cohen, Thakor, "Converting static image datasets to spiking neuromorphic
// datasets using saccades", 2015.
// Errors: DataError that names the missing folder, the empty class, the bad line.
// Tests: unit/event_sets_test.cpp.
#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/clip_source.h"
#include "spiketrain/data/events/event_lists.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/events/layout_files.h"

namespace spiketrain {
namespace {

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
  const Bytes list = read_file(lists[0], kMaxListBytes);
  for (const auto& [line, offset] : text_lines(list)) {
    if (line[0] == '#') continue;
    if (!read_integers(line, values) || values.size() != 2 || values[1] < 0 || values[1] > 9)
      throw DataError(lists[0], offset, "expected a number and a class from 0 to 9, got \"" + line + "\"");
    std::string path = str(root, "/", part, "/", values[0], ".bs2");
    if (!file_exists(path)) path = str(root, "/", part, "/", values[0], ".bin");
    set.add(std::move(path), values[1]);
  }
  if (set.clips.empty()) throw DataError(lists[0], 0, "expected lines of a number and a class, found none");
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

struct Nmnist final : EventSet {
  static constexpr const char* kDoc = "N-MNIST: MNIST before a moving event camera, 2 x 34 x 34, 10 classes";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, true, {2, 34, 34}, 10); }
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    return make_clip_source(nmnist_clips(o.dir, train));
  }
};
ST_REGISTER(DatasetSource, "nmnist", Nmnist);

}  // namespace
}  // namespace spiketrain
