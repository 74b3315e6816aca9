// What a network predicts, sample by sample: a CSV file, and which class was taken for which.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/report/some_samples.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain::cli {

class Predictions {
 public:
  /// UsageError for targets that are neither classes nor values.
  explicit Predictions(const SomeSamples& data);
  /// The samples in order.
  void add(const Batch& batch, const PassResult& result);
  bool classes() const { return !confusion_.empty(); }
  /// [label][predicted] numbers of samples; empty: the targets are no classes.
  const std::vector<std::vector<int64_t>>& confusion() const { return confusion_; }
  /// Share of a class's samples that was recognised; NaN if it has none.
  double accuracy(size_t label) const;
  /// A line a sample: of classes "sample,label,predicted,output0,...", of values "sample,target0,...,output0,...".
  const std::string& csv() const { return csv_; }

 private:
  const SomeSamples& data_;
  int64_t next_ = 0;
  std::vector<std::vector<int64_t>> confusion_;
  std::string csv_;
};

}  // namespace spiketrain::cli
