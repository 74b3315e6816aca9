// The metrics of a run: sums over batches, and their values.
// Tests: unit/progress_test.cpp.
#pragma once
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "spiketrain/core/objective.h"
#include "spiketrain/engine/learner.h"

namespace spiketrain {

/// Sums of each metric over batches, by label; see Metric::sums.
using MetricTotals = std::map<std::string, std::vector<double>>;
/// Value of each metric, by label; NaN if there was nothing to judge.
using MetricValues = std::map<std::string, double>;

/// What was measured on a split.
struct Scores {
  double loss = std::numeric_limits<double>::quiet_NaN();
  MetricValues metrics = {};
  /// Value of a metric, or of "loss".  UsageError if it was not measured.
  double at(const std::string& label) const;
};

/// What a metric is called in reports: its registered name, whose last word gives way to the value of the
/// option of that name: "top_k" with k = 5 is "top5".  UsageError if a registry did not make it.
std::string label(const Metric& metric);

class MetricSet {
 public:
  /// UsageError if a metric cannot judge targets of this kind, or if two have the same label.
  MetricSet(const std::vector<MetricP>& metrics, Target::Kind kind);

  /// Sets the sums, {} to begin with.
  void start(const MetricTotals& totals);
  /// Of a batch, what each metric adds up [k] double, on the device of the prediction; target there, too.
  std::vector<Tensor> sums(const PassResult& result, const Target& target) const;
  /// Adds those of a batch.  The sums stay on that device.
  void add(const std::vector<Tensor>& sums);
  /// The sums so far; waits for the device.
  MetricTotals totals() const;
  MetricValues values(const MetricTotals& totals) const;

  /// What epochs are judged by, first what decides which is best: the metrics, or "loss" if there are none.
  const std::vector<std::string>& labels() const { return labels_; }
  /// Whether `a` is the better value; false if it is NaN.
  bool better(const std::string& label, double a, double b) const;

 private:
  struct Item {
    MetricP metric;
    std::string label;
    Tensor sums;  ///< [k] double, undefined: nothing yet
  };
  std::vector<Item> items_;
  std::vector<std::string> labels_;
};

}  // namespace spiketrain
