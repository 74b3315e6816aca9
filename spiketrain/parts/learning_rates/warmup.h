// Warm-up, with which every learning-rate schedule may begin: lr * (i + 1) / n over the first n
// iterations.
#pragma once
#include "spiketrain/core/optimizer.h"

namespace spiketrain {

struct WarmUp : LearningRate {
  double warmup_epochs = 0;

  double at(double base, int64_t iteration, int64_t per_epoch, int64_t epochs) const final {
    const double n = warmup_epochs * static_cast<double>(per_epoch);
    const auto i = static_cast<double>(iteration);
    return i + 1 < n ? base * (i + 1) / n : after(base, iteration, per_epoch, epochs);
  }

 protected:
  /// The schedule once warm-up is over.
  virtual double after(double base, int64_t iteration, int64_t per_epoch, int64_t epochs) const = 0;
  template <class V>
  void visit_warmup(V& v) {
    v(warmup_epochs, "warmup_epochs", "epochs of linear warm-up, fractions allowed", Range{0, 1e6});
  }
};

}  // namespace spiketrain
