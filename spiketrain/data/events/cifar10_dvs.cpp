// CIFAR10-DVS: CIFAR-10 images moved on a screen.
//   DIR/cifar10-dvs/CLASS/*.aedat; there is no official split: the first `train_share` of every class, in
//   the order of the numbers in the file names, is train, the rest is test
// Source: Li, Liu, Ji, Li, Shi, "CIFAR10-DVS: an event-stream dataset for object classification", 2017.
// Tests: unit/event_sets_test.cpp.
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/clip_source.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/events/layout_files.h"

namespace spiketrain {
namespace {

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
  set.class_names = names_of(classes);
  take_turns(classes, set);
  set.description = str("cifar10-dvs ", train ? "train" : "test", ", ", set.clips.size(), " recordings, ",
                        train ? "the first " : "all but the first ", train_share * 100, " % of each class");
  return set;
}

struct Cifar10Dvs final : EventSet {
  static constexpr const char* kDoc =
      "CIFAR10-DVS: CIFAR-10 images moved on a screen, 2 x 128 x 128, 10 classes";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, true, {2, 128, 128}, 10); }
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    return make_clip_source(cifar10_dvs_clips(o.dir, train, o.events.train_share));
  }
};
ST_REGISTER(DatasetSource, "cifar10-dvs", Cifar10Dvs);

}  // namespace
}  // namespace spiketrain
