// Spiking Heidelberg Digits and Spiking Speech Commands: DIR/NAME/NAME_train.h5 and NAME_test.h5; format and
// source in shd.h.
// Tests: unit/event_sets_test.cpp.
#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/events/shd.h"

namespace spiketrain {
namespace {

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

struct Shd final : EventSet {
  static constexpr const char* kDoc = "Spiking Heidelberg Digits: spoken digits, 1 x 1 x 700, 20 classes";
  static constexpr int64_t kClasses = 20;
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, true, {1, 1, ShdFile::kChannels}, kClasses); }
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    return std::make_shared<const ShdSource>(part_name(), o.dir, train, kClasses);
  }
};
ST_REGISTER(DatasetSource, "shd", Shd);

struct Ssc final : EventSet {
  static constexpr const char* kDoc = "Spiking Speech Commands: spoken words, 1 x 1 x 700, 35 classes";
  static constexpr int64_t kClasses = 35;
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override { return describe(kDoc, true, {1, 1, ShdFile::kChannels}, kClasses); }
  std::shared_ptr<const EventSource> recordings(const DataOptions& o, bool train) const override {
    return std::make_shared<const ShdSource>(part_name(), o.dir, train, kClasses);
  }
};
ST_REGISTER(DatasetSource, "ssc", Ssc);

}  // namespace
}  // namespace spiketrain
