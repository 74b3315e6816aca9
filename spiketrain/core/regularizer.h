// Regularizer = a penalty on the activity of spiking layers, beside the objective.  It reads what a layer did over a
// stretch: a live segment, or replay segments that follow each other.
//   penalty of a pass = sum over stretches of share * (sum over layers of value),  share = part of the steps that learn
// Its derivative by what a neuron sends joins dL/da before the rule's credit; that by the membrane is the neuron's exact
// adjoint under rules that use it, and the derivative of the same step, dL/du[t] * du[t]/dI[t], under rules that are
// local_in_time.
// Tests: engine/regularizers_test.cpp.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "spiketrain/base/registry.h"
#include "spiketrain/core/record.h"

namespace spiketrain {

class Group;

struct Regularizer : Part {
  /// Slots of the record that it reads: kU or none.
  virtual uint32_t needs() const { return 0; }
  /// Whether it holds for layers that are read out, too: the output layer and heads, whose activity the objective sets.
  virtual bool holds_for_readouts() const { return true; }
  /// What it reads of the steps of a record, added up over steps and samples; valid [K,B] bool: over these, undefined: all.
  virtual Tensor sums(const Record& record, const Tensor& valid) const = 0;
  /// Penalty of a layer (scalar) from the sums of a stretch over so many places, steps times samples.
  virtual Tensor value(const Tensor& sums, double places) const = 0;
  /// Its derivatives at every place, expandable to [K,B,*]; undefined: none.
  struct Slope {
    Tensor da, du;  ///< by what the neuron sends; by the membrane before reset
  };
  virtual Slope slope(const Record& record, const Tensor& sums, double places) const = 0;
};
using RegularizerP = std::shared_ptr<const Regularizer>;

/// x [K,B,*] with zeros at padding; valid [K,B] bool, undefined: x itself.
Tensor without_padding(const Tensor& x, const Tensor& valid);

/// What the regularizers have of one layer in one stretch.
class LayerPenalty {
 public:
  /// Null parts do not hold for this layer.
  /// `group`: processes with the other samples of the batch, over which sums go; null: none.
  LayerPenalty(const std::vector<RegularizerP>& parts, double share, Group* group = nullptr)
      : parts_(parts), sums_(parts.size()), share_(share), group_(group) {}
  /// Forward: adds the steps of a record.
  void observe(const Record& record, const Tensor& valid);
  /// Backward: the derivatives of all together, zero at padding.
  Regularizer::Slope slope(const Record& record, const Tensor& valid) const;
  /// Adds share * value of each to `totals` (scalars, double).
  void add_values(std::vector<Tensor>& totals) const;
  void weigh(double share) { share_ = share; }

 private:
  void settle() const;

  std::vector<RegularizerP> parts_;
  mutable std::vector<Tensor> sums_;
  mutable double places_ = 0;  ///< of all processes once settled, as the sums
  double share_;
  Group* group_;
  mutable bool settled_ = false;
};

/// What they have of a pass.
class Penalties {
 public:
  /// `readouts`: slots of layers that are read out.
  Penalties(std::vector<RegularizerP> parts, std::set<int64_t> readouts)
      : parts_(std::move(parts)), readouts_(std::move(readouts)), totals_(parts_.size()) {}
  uint32_t needs() const;
  /// See LayerPenalty; before the first stretch.
  void share_with(Group* group) { group_ = group; }
  /// Begins a stretch.
  void begin();
  /// Its share; before anything goes backward.
  void weigh(double share);
  /// The layer's in the present stretch.
  std::shared_ptr<LayerPenalty> of(int64_t slot);
  /// Penalty of each regularizer over the stretches so far [k], double.
  Tensor values();

 private:
  void settle();

  std::vector<RegularizerP> parts_;
  std::set<int64_t> readouts_;
  std::map<int64_t, std::shared_ptr<LayerPenalty>> layers_;  ///< by slot
  std::vector<Tensor> totals_;
  double share_ = 1;
  Group* group_ = nullptr;
};

}  // namespace spiketrain
