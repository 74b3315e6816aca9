// Stages without neurons of their own (pooling, dropout, the PSP of the input) and residual units.
// All take dense and stationary signals.  Events pass through the PSP filter and an idle dropout only.
// Tests: unit/stage_test.cpp, grad/network_residual_test.cpp, property/network_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/layer.h"

namespace spiketrain {

/// Pooling over k x k windows with stride k; rows and columns that do not fill a window are ignored.
///   sum: y = scale * sum;   average: y = sum / k^2;   max: y = maximum, at every step by itself
class Pool : public Stage {
 public:
  enum class Kind { sum, average, max };
  /// `in` [C,H,W] with H, W >= k.  `scale` is read for `sum` only.
  Pool(Kind kind, int64_t k, double scale, const Shape& in, std::string notation);
  Signal forward(const Signal& x, Pass& pass) override;
  Shape out_shape() const override { return out_; }
  std::string spec() const override { return notation_; }
  void describe(std::vector<StageInfo>& list) const override;

 private:
  Kind kind_;
  int64_t k_;
  double scale_;
  Shape out_;
  std::string notation_;
};

/// [C,H,H] -> [C]: the mean over the map.
class GlobalAverage : public Stage {
 public:
  explicit GlobalAverage(const Shape& in);
  Signal forward(const Signal& x, Pass& pass) override;
  Shape out_shape() const override { return {in_[0]}; }
  std::string spec() const override { return "GAP"; }
  void describe(std::vector<StageInfo>& list) const override;

 private:
  Shape in_;
};

/// Dropout in training: a is multiplied by a mask of 0 and 1/(1-p).  One mask per pass: the same at all steps
/// and in all windows, drawn from (seed, step, slot), the batch's samples in order.
class Dropout : public Stage {
 public:
  /// What shares one draw: nothing; a row of a map (over W); a map (over H and W).  [N] has one draw per
  /// neuron in every case.
  enum class Shared { element, row, channel };
  Dropout(double probability, Shared shared, const Shape& in, std::string notation);
  Signal forward(const Signal& x, Pass& pass) override;
  Shape out_shape() const override { return in_; }
  std::string spec() const override { return notation_; }
  void describe(std::vector<StageInfo>& list) const override;

 private:
  Tensor draw(const Signal& x, const Pass& pass) const;

  double probability_;
  Shape in_;
  Shape mask_;  ///< of one sample, 1 where shared
  std::string notation_;
};

/// The network's input as a PSP, a[t] = a[t-1] + (x[t] - a[t-1])/tau_s, for neurons that expect one.  Of a
/// stationary signal only the gain is filtered.
class PspFilter : public Stage {
 public:
  PspFilter(double tau_s, Shape in) : tau_s_(tau_s), in_(std::move(in)) {}
  Signal forward(const Signal& x, Pass& pass) override;
  Shape out_shape() const override { return in_; }
  std::string spec() const override { return ""; }
  void describe(std::vector<StageInfo>& list) const override;

 private:
  double tau_s_;
  Shape in_;
};

/// Basic residual unit: two layers and a shortcut.
///   current (spiking ResNet):  y = neuron(current of `second` + shortcut)
///   output  (SEW-ResNet, ADD): y = second(first(x)) + shortcut; counts, not spikes
/// The shortcut is the unit's input, or `shortcut` applied to it: a projection without neuron (current), or a
/// layer (output).  Source of the second: Fang et al. 2021, "Deep residual learning in spiking neural
/// networks".
class ResidualUnit : public Stage {
 public:
  enum class Join { current, output };
  /// `shortcut` may be null: identity.
  ResidualUnit(Join join, std::shared_ptr<Layer> first, std::shared_ptr<Layer> second,
               std::shared_ptr<Layer> shortcut, std::string notation);
  Signal forward(const Signal& x, Pass& pass) override;
  Shape out_shape() const override { return second_->out_shape(); }
  std::string spec() const override { return notation_; }
  void assign_slots(int64_t& next) override;
  void initialise(uint64_t seed) override;
  void describe(std::vector<StageInfo>& list) const override;

 private:
  Join join_;
  std::shared_ptr<Layer> first_, second_, shortcut_;
  std::string notation_;
};

}  // namespace spiketrain
