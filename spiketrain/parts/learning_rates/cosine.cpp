// Half a cosine from lr to min:  min + (lr - min) * (1 + cos(pi * (i - n) / (N - n))) / 2, for iteration i of
// N in the whole run, n of them warm-up.
// Source: Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", without restarts.
// Tests: unit/optimizer_test.cpp.
#include <algorithm>
#include <cmath>

#include "spiketrain/parts/learning_rates/warmup.h"

namespace spiketrain {
namespace {

struct CosineRate final : WarmUp {
  static constexpr const char* kDoc = "cosine decay to `min` at the end of the run";
  double min = 0;
  template <class V>
  void visit(V& v) {
    visit_warmup(v);
    v(min, "min", "learning rate at the end", Range{0, 1e6});
  }

 protected:
  double after(double base, int64_t iteration, int64_t per_epoch, int64_t epochs) const override {
    const double warmup = warmup_epochs * static_cast<double>(per_epoch);
    const double length = static_cast<double>(epochs) * static_cast<double>(per_epoch) - warmup;
    const double past = static_cast<double>(iteration) - warmup;
    const double done = length > 0 ? std::min(1.0, std::max(0.0, past) / length) : 1.0;
    return min + (base - min) * 0.5 * (1.0 + std::cos(M_PI * done));
  }
};
ST_REGISTER(LearningRate, "cosine", CosineRate);

}  // namespace
}  // namespace spiketrain
