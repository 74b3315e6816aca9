// Tensors that a program gave: a name for recipes, so that a run says that its data are in no file.
#include "spiketrain/data/source.h"

namespace spiketrain {
namespace {

struct Given final : DatasetSource {
  static constexpr const char* kDoc =
      "tensors that the program which trained has given; it cannot be opened by name";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override {
    DatasetInfo info;
    info.name = "given";
    info.doc = kDoc;
    info.shape = {0};  // not known before the tensors are there
    info.target.shape = {0};
    return info;
  }
  std::unique_ptr<Dataset> open(const DataOptions&) const override {
    throw UsageError(
        "data: the run was trained on tensors that a program had given; give them again (Python: data=...), or name a data set");
  }
};
ST_REGISTER(DatasetSource, "given", Given);

}  // namespace
}  // namespace spiketrain
