// Steps down:  lr * gamma^floor(epoch / step_epochs), epochs counted from the start of the run, warm-up
// included.
// Tests: unit/optimizer_test.cpp.
#include <cmath>

#include "spiketrain/parts/learning_rates/warmup.h"

namespace spiketrain {
namespace {

struct StepRate final : WarmUp {
  static constexpr const char* kDoc = "multiplied by gamma after every `step_epochs` epochs";
  int64_t step_epochs = 30;
  double gamma = 0.1;
  template <class V>
  void visit(V& v) {
    visit_warmup(v);
    v(step_epochs, "step_epochs", "epochs between two steps", Range{1, 1e9});
    v(gamma, "gamma", "factor of each step", Range{0, 1});
  }
  bool reads_epochs() const override { return false; }

 protected:
  double after(double base, int64_t iteration, int64_t per_epoch, int64_t) const override {
    const int64_t epoch = per_epoch > 0 ? iteration / per_epoch : 0;
    return base * std::pow(gamma, static_cast<double>(epoch / step_epochs));
  }
};
ST_REGISTER(LearningRate, "step", StepRate);

}  // namespace
}  // namespace spiketrain
