// Objective = where error enters: a loss on the output layer's signal, and the decision read from it.
#pragma once
#include "spiketrain/core/registry.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/core/signal.h"
#include "spiketrain/core/torch.h"

namespace spiketrain {

struct Objective {
  virtual ~Objective() = default;
  /// Called once, when the number of classes, of steps and the neuron are known.  UsageError if they do not
  /// fit.
  struct Context {
    int64_t classes, steps;
    bool psp = false;  ///< the output is a PSP with time constant tau_s
    double tau_s = 1.0;
    bool windows = false;  ///< the sequence comes in several windows
  };
  virtual void prepare(const Context& context) { context_ = context; }
  /// a [K,B,classes]: output over the window; label [B] int64 -> scalar.
  /// An objective that averages over time weighs a window by its share of the T steps, so that the losses of
  /// all windows add up to an average over the sequence.
  virtual Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const = 0;
  /// Evidence per class from one window, [B,classes]; summed over windows; the decision is its argmax.
  virtual Tensor scores(const Tensor& a) const { return a.sum(0); }
  virtual void check() {}

 protected:
  /// loss * K/T for a window of K of the T steps.
  Tensor share(const Tensor& loss, const Window& window) const {
    const int64_t K = window.t1 - window.t0;
    if (context_.steps == 0 || K == context_.steps) return loss;
    return loss * (static_cast<double>(K) / static_cast<double>(context_.steps));
  }

  Context context_{};
};

}  // namespace spiketrain
