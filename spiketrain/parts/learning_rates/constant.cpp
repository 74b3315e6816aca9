// The same learning rate throughout, after warm-up.  Tests: unit/optimizer_test.cpp.
#include "spiketrain/parts/learning_rates/warmup.h"

namespace spiketrain {
namespace {

struct ConstantRate final : WarmUp {
  static constexpr const char* kDoc = "the same learning rate throughout";
  template <class V>
  void visit(V& v) {
    visit_warmup(v);
  }
  bool reads_epochs() const override { return false; }

 protected:
  double after(double base, int64_t, int64_t, int64_t) const override { return base; }
};
ST_REGISTER(LearningRate, "constant", ConstantRate);

}  // namespace
}  // namespace spiketrain
