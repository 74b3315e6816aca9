// Objective = where error enters: a loss on the output layer's signal, and the prediction read from it.
// Metric = what is reported of predictions; nothing learns from it.
#pragma once
#include "spiketrain/base/registry.h"
#include "spiketrain/core/neuron.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/core/signal.h"
#include "spiketrain/core/target.h"

namespace spiketrain {

/// One segment of the output, as an objective sees it.
struct Output {
  Signal signal;    ///< [K,B,*out]
  Segment segment;  ///< its place in the sequence of T steps
  int64_t scored;   ///< steps of the sequence in which error enters
  Tensor lengths =
      {};  ///< [B] int64, where the signal lives: of these, the steps of each sample; undefined: all
  Tensor valid = {};  ///< [K,B] bool, where the signal lives: steps that are no padding; undefined: all
  Tensor all_lengths =
      {};  ///< [B] int64, where the signal lives: steps of each sample, scored or not; undefined: T

  /// The values with zeros at padding, so that no error enters there: the one place that masks.  [K,B,*out]
  Tensor values() const;
  /// Mean over the valid steps of this segment [B,*out]; zeros for a sample that has none.
  Tensor mean() const;
  /// This segment's share of the scored steps.
  double share() const { return static_cast<double>(segment.steps()) / static_cast<double>(scored); }
  /// Weighs a loss that averages over time, so that the losses of all segments add up to the average over
  /// the scored steps.  `loss(reduction)` gives, for at::Reduction::Mean, the mean over this segment's steps and samples; for None, one
  /// value per step [K,B] or per sample [B], an average over its valid steps.
  template <class F>
  Tensor average(F&& loss) const {
    return valid.defined() ? weigh(loss(at::Reduction::None)) : shared(loss(at::Reduction::Mean));
  }

 private:
  Tensor shared(const Tensor& mean) const;
  Tensor weigh(const Tensor& each) const;
};

struct Objective : Part {
  /// Called once, when the shape of the output, the number of steps and the output neuron are known.  UsageError if
  /// they do not fit.
  struct Context {
    Shape output;            ///< of one sample at one step
    int64_t steps;           ///< T
    Emission emission = {};  ///< of the output neuron
    bool segments = false;   ///< the sequence comes in several, or error does not enter at all of its steps
    Target::Kind target = Target::Kind::class_index;
  };
  virtual void prepare(const Context& context);
  /// Kinds of target it takes.
  virtual std::vector<Target::Kind> targets() const { return {Target::Kind::class_index}; }
  /// Scalar.
  virtual Tensor loss(const Output& out, const Target& target) const = 0;
  struct Error {
    Tensor loss;   ///< scalar, without graph
    Tensor delta;  ///< dL/d(values) [K,B,*out]
  };
  /// The loss and what goes back from it.  The default differentiates loss(); an objective may know the derivative.
  virtual Error error(const Output& out, const Target& target) const;
  /// What one segment says [B,*out]; summed over segments.  A class is decided by the greatest.
  virtual Tensor evidence(const Output& out) const { return out.values().sum(0); }
  /// The prediction from the summed evidence.  The default: the evidence itself for classes, its mean over steps for
  /// values.
  virtual Tensor prediction(const Tensor& evidence, const Tensor& lengths) const;
  /// Whether the loss of a batch is a sum over its samples rather than a mean: then its size depends on the batch's.
  virtual bool sums_over_samples() const { return false; }

 protected:
  Context context_{};
};
using ObjectiveP = std::shared_ptr<const Objective>;

struct Metric : Part {
  /// Kinds of target it can judge.
  virtual std::vector<Target::Kind> targets() const = 0;
  /// What a batch adds to a handful of sums [k], double.  prediction [B,*out], or [T,B,*out] for targets per step;
  /// valid [T,B] bool: steps that are no padding, undefined: all.
  virtual Tensor sums(const Tensor& prediction, const Target& target, const Tensor& valid) const = 0;
  /// The metric from the sums over a data set.  NaN if they are of nothing.
  virtual double value(const std::vector<double>& sums) const = 0;
  /// True if greater is better.
  virtual bool greater_is_better() const { return true; }
};
using MetricP = std::shared_ptr<const Metric>;

}  // namespace spiketrain
