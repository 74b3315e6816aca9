// Objective = where error enters: a loss on the output layer's signal, and the decision read from it.
#pragma once
#include <torch/torch.h>

#include "spiketrain/core/registry.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/core/signal.h"

namespace spiketrain {

struct Objective {
  virtual ~Objective() = default;
  /// Called once, when the number of classes, of steps and the neuron are known.  UsageError if they do not
  /// fit.
  struct Context {
    int64_t classes, steps;
    bool psp = false;  ///< the output is a PSP with time constant tau_s
    double tau_s = 1.0;
  };
  virtual void prepare(const Context& context) { context_ = context; }
  /// a [K,B,classes]: output over the window; label [B] int64 -> scalar.
  virtual Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const = 0;
  /// Evidence per class from one window, [B,classes]; summed over windows; the decision is its argmax.
  virtual Tensor scores(const Tensor& a) const { return a.sum(0); }
  virtual void check() {}

 protected:
  Context context_{};
};

}  // namespace spiketrain
