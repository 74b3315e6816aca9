// A plugin of two metrics, one of which has the name of a part of the library.
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct Zero : Metric {
  static constexpr const char* kDoc = "zero";
  template <class V>
  void visit(V&) {}
  std::vector<Target::Kind> targets() const override { return {Target::Kind::class_index}; }
  Tensor sums(const Tensor&, const Target&, const Tensor&) const override {
    return torch::zeros({1}, torch::kDouble);
  }
  double value(const std::vector<double>&) const override { return 0; }
};
struct OtherZero final : Zero {};
ST_REGISTER(Metric, "plugin_zero", Zero);
ST_REGISTER(Metric, "accuracy", OtherZero);

}  // namespace
}  // namespace spiketrain
