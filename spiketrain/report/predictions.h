// What a network predicts, sample by sample: tensors, a CSV file, and which class was taken for which.
// Tests: unit/cli_everyday_test.cpp, unit/predictions_test.cpp, python/tests/test_predict.py.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/report/some_samples.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain {

class Predictions {
 public:
  /// `data` has to live as long.  UsageError for targets that are neither classes nor values.
  explicit Predictions(const SomeSamples& data);
  /// The samples in order.
  void add(const Batch& batch, const PassResult& result);
  bool classes() const { return target_.kind == Target::Kind::class_index; }
  const TargetSpec& target() const { return target_; }

  /// [N] int64: indices of the samples in their split.
  Tensor samples() const;
  /// [N] int64 classes, or [N,K] float values, row-major over the shape of the output.
  Tensor targets() const;
  /// [N] int64: the class with the largest output.  UsageError unless the targets are classes.
  Tensor predicted() const;
  /// [N,K] float, what the objective makes of the network's output.
  Tensor outputs() const;

  /// [label][predicted] numbers of samples; empty: the targets are no classes.
  const std::vector<std::vector<int64_t>>& confusion() const { return confusion_; }
  /// Share of a class's samples that was recognised; NaN if it has none.
  double accuracy(size_t label) const;
  /// A line a sample: of classes "sample,label,predicted[,label_name,predicted_name],output0,...", the names where classes have some; of values
  /// "sample,target0,...,output0,...".
  std::string csv() const;

 private:
  const SomeSamples& data_;
  TargetSpec target_;
  std::vector<Tensor> targets_, outputs_;  // of each batch, on the CPU
  std::vector<std::vector<int64_t>> confusion_;
};

}  // namespace spiketrain
